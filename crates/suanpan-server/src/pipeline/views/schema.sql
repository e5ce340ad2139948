-- The read models of Suanpan: everything here is folded from the journal and may be deleted at any
-- time while the server is stopped; it is then made again at the next start.
--
-- Open it read-only beside a running server:  sqlite3 'file:views.sqlite3?mode=ro'
-- Times end in _us: microseconds since 1970-01-01 UTC. Money ends in _micro: millionths of a credit.
-- States are the words of `suanpan ps`. Column "task" is the index of an array task, NULL for a job
-- that is no array.

-- How far the fold is.
CREATE TABLE meta (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  last_seq INTEGER NOT NULL,           -- last record folded; its time and epoch say of which journal
  last_at_us INTEGER NOT NULL,
  last_epoch INTEGER NOT NULL,
  boot TEXT NOT NULL,                  -- start of the machine under which it was last written
  writer TEXT NOT NULL                 -- 'open' while a server writes it, 'closed' after an orderly stop
);

-- One row for each cluster that was ever added.
CREATE TABLE clusters (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  site TEXT NOT NULL,                  -- the cluster's own name until its inventory is known
  driver TEXT,
  contact TEXT NOT NULL,               -- reachable or silent
  contact_us INTEGER NOT NULL          -- since when
);

-- One row for each job; an array is one row that stands for all its tasks.
CREATE TABLE jobs (
  id INTEGER PRIMARY KEY,              -- an array's task at position k has the job id: id + k
  tasks INTEGER NOT NULL,              -- 1, or how many the array has
  "array" TEXT,                        -- indexes of an array, as in --array
  name TEXT NOT NULL,
  user TEXT NOT NULL,
  project TEXT NOT NULL,
  state TEXT NOT NULL,                 -- of an array the liveliest state of any task, then the worst
  mixed INTEGER NOT NULL,              -- 1 where the tasks of an array are in several states
  held INTEGER NOT NULL,
  submitted_seq INTEGER NOT NULL,      -- record that submitted it, and its place in that record
  submitted_place INTEGER NOT NULL,
  submitted_us INTEGER NOT NULL,
  begin_us INTEGER,
  deadline_us INTEGER,
  started_us INTEGER,                  -- first start of any task
  ended_us INTEGER,                    -- once nothing is left to happen
  nodes INTEGER NOT NULL,              -- of one task
  cpus_per_node INTEGER NOT NULL,
  memory_mib_per_node INTEGER NOT NULL,
  gpus_per_node INTEGER NOT NULL,
  time_limit_s INTEGER,                -- as asked
  partitions TEXT NOT NULL,            -- as asked, separated by commas
  dependency TEXT,                     -- as asked
  attempts INTEGER NOT NULL,
  last_allocation INTEGER,
  charged_micro INTEGER NOT NULL,
  wall_us INTEGER NOT NULL,            -- sums over all attempts
  cpu_us INTEGER NOT NULL,
  memory_peak_bytes INTEGER NOT NULL,  -- largest of all attempts
  exit_code INTEGER,                   -- highest of all tasks
  signal INTEGER,
  tasks_pending INTEGER NOT NULL,
  tasks_configuring INTEGER NOT NULL,
  tasks_running INTEGER NOT NULL,
  tasks_completing INTEGER NOT NULL,
  tasks_completed INTEGER NOT NULL,
  tasks_failed INTEGER NOT NULL,
  tasks_timeout INTEGER NOT NULL,
  tasks_cancelled INTEGER NOT NULL,
  tasks_node_fail INTEGER NOT NULL,
  tasks_preempted INTEGER NOT NULL,
  tasks_out_of_memory INTEGER NOT NULL,
  tasks_deadline INTEGER NOT NULL,
  preempted_by INTEGER                 -- job for which an attempt of it was last stopped
);
CREATE INDEX jobs_by_state ON jobs (state, id);
CREATE INDEX jobs_by_user ON jobs (user, id);
CREATE INDEX jobs_by_name ON jobs (name, id);
CREATE INDEX jobs_mixed ON jobs (id) WHERE mixed = 1;
CREATE INDEX jobs_live ON jobs (id) WHERE ended_us IS NULL;

-- One row for each allocation: an attempt to run one task.
CREATE TABLE attempts (
  allocation INTEGER PRIMARY KEY,
  job INTEGER NOT NULL,
  task INTEGER,
  state TEXT NOT NULL,                 -- a job state, or Refused
  cluster INTEGER NOT NULL,
  partition TEXT NOT NULL,
  flavor TEXT NOT NULL,
  nodes TEXT NOT NULL,                 -- in rank order, separated by commas
  cpus_per_node INTEGER NOT NULL,      -- taken and charged
  memory_mib_per_node INTEGER NOT NULL,
  gpus_per_node INTEGER NOT NULL,
  time_limit_s INTEGER NOT NULL,
  predicted_start_us INTEGER NOT NULL,
  predicted_start_latest_us INTEGER NOT NULL,
  predicted_stage_s INTEGER NOT NULL,
  predicted_run_s INTEGER NOT NULL,
  predicted_cost_micro INTEGER NOT NULL, -- set aside at placement
  placed_seq INTEGER NOT NULL,
  placed_us INTEGER NOT NULL,
  staging_seq INTEGER,
  staging_us INTEGER,                  -- by the agent's clock, as the next two
  started_seq INTEGER,
  started_us INTEGER,
  ended_seq INTEGER,
  ended_us INTEGER,
  stopping TEXT,                       -- why it was asked to stop
  charged_micro INTEGER NOT NULL,
  "end" TEXT,                          -- exited, signalled, timed_out, cancelled, out_of_memory, lost,
                                       -- start_failed or refused
  exit_code INTEGER,
  signal INTEGER,
  payload TEXT,                        -- started or never_started
  requeued INTEGER NOT NULL,           -- 1 where the task went back to pending
  wall_us INTEGER NOT NULL,
  cpu_us INTEGER NOT NULL,
  memory_peak_bytes INTEGER NOT NULL,
  message TEXT NOT NULL,
  transfer INTEGER NOT NULL,
  explanation INTEGER NOT NULL,        -- place in the explanations of record placed_seq
  preempted_by INTEGER,                -- job for which it was stopped
  predicted_out_s INTEGER NOT NULL
);
CREATE INDEX attempts_by_job ON attempts (job, task, allocation);
-- The newest attempts of a whole array, which may have a million.
CREATE INDEX attempts_in_order ON attempts (job, allocation);

-- Why attempts were placed where they are: candidates and the clusters ruled out.
CREATE TABLE explanations (
  seq INTEGER NOT NULL,
  place INTEGER NOT NULL,
  explanation TEXT NOT NULL,           -- JSON
  PRIMARY KEY (seq, place)
) WITHOUT ROWID;

-- What happened to jobs beside submission and attempts.
CREATE TABLE job_notes (
  job INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  place INTEGER NOT NULL,
  task INTEGER,
  at_us INTEGER NOT NULL,
  kind TEXT NOT NULL,                  -- held, released, preempted, stopping or tasks_ended
  detail TEXT NOT NULL,                -- JSON
  PRIMARY KEY (job, seq, place)
) WITHOUT ROWID;

-- Ledger accounts with their sums.
CREATE TABLE ledger_accounts (
  kind TEXT NOT NULL,                  -- project or cluster
  name TEXT NOT NULL,
  debits_pending_micro INTEGER NOT NULL,
  debits_posted_micro INTEGER NOT NULL,
  credits_pending_micro INTEGER NOT NULL,
  credits_posted_micro INTEGER NOT NULL,
  PRIMARY KEY (kind, name)
) WITHOUT ROWID;

-- Every transfer: set aside at placement, then posted or (where nothing was charged) voided.
CREATE VIEW transfers AS
SELECT a.transfer AS id, j.project AS debit_project, c.name AS credit_cluster,
       a.predicted_cost_micro AS amount_micro, a.charged_micro AS posted_micro,
       CASE WHEN a.ended_us IS NULL THEN 'pending' WHEN a.state = 'Refused' THEN 'voided'
            ELSE 'posted' END AS state,
       a.job, a.task, a.allocation, a.placed_us AS begun_us, a.ended_us
FROM attempts a JOIN jobs j ON j.id = a.job JOIN clusters c ON c.id = a.cluster;

-- Everything that happened to a job, in the order of seq.
CREATE VIEW job_events AS
SELECT id AS job, submitted_seq AS seq, 0 AS place, NULL AS task, submitted_us AS at_us,
       'submitted' AS kind,
       json_object('user', user, 'project', project, 'name', name, 'tasks', tasks) AS detail
FROM jobs
UNION ALL SELECT job, seq, place, task, at_us, kind, detail FROM job_notes
UNION ALL SELECT job, placed_seq, 0, task, placed_us, 'placed',
       json_object('allocation', allocation, 'cluster', cluster, 'partition', partition,
                   'flavor', flavor, 'nodes', nodes, 'cost_micro', predicted_cost_micro)
FROM attempts
UNION ALL SELECT job, staging_seq, 1, task, staging_us, 'staging',
       json_object('allocation', allocation)
FROM attempts WHERE staging_seq IS NOT NULL
UNION ALL SELECT job, started_seq, 2, task, started_us, 'started',
       json_object('allocation', allocation)
FROM attempts WHERE started_seq IS NOT NULL
UNION ALL SELECT job, ended_seq, 3, task, ended_us,
       CASE WHEN state = 'Refused' THEN 'refused' WHEN requeued = 1 THEN 'requeued'
            ELSE 'ended' END,
       json_object('allocation', allocation, 'state', state, 'end', "end", 'exit_code', exit_code,
                   'signal', signal, 'payload', payload, 'charged_micro', charged_micro,
                   'message', message)
FROM attempts WHERE ended_seq IS NOT NULL;
