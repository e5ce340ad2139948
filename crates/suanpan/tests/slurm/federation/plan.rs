//! What is submitted, from the seed alone.

use crate::dice::Dice;
use std::path::Path;

/// One submission.
#[derive(Clone, Debug)]
pub struct Work {
    /// Options beside the script.
    pub words: Vec<String>,
    /// How many tasks it has; more than one is an array.
    pub tasks: usize,
    /// Exit code of each task.
    pub code: u8,
    /// What its script does.
    body: String,
    /// An earlier submission it waits for, and how.
    pub after: Option<(usize, &'static str)>,
}

/// Flavors with accelerators, each at one site, as users ask for them.
const ACCELERATORS: [(&str, &str); 3] = [
    ("nvidia-h20-96g", "--gpus=h20:1"),
    ("ascend-910b-64g", "--gres=gpu:1"),
    ("nvidia-a800-80g", "--gres=gpu:2"),
];

/// Submissions with so many tasks together: single ones, arrays, jobs of two nodes, jobs with
/// accelerators, and jobs that wait for another, wherever that one runs.
pub fn works(dice: &mut Dice, tasks: usize) -> Vec<Work> {
    let mut works: Vec<Work> = Vec::new();
    let mut left = tasks;
    while left > 0 {
        let work = one(dice, &works, left);
        left -= work.tasks;
        works.push(work);
    }
    works
}

fn one(dice: &mut Dice, before: &[Work], left: usize) -> Work {
    let code = if dice.below(7) == 0 { 1 + dice.below(9) as u8 } else { 0 };
    let sleep = format!("sleep {}.{}", dice.below(4), dice.below(10));
    let mut work = Work {
        words: vec!["--mem=100M".to_owned()],
        tasks: 1,
        code,
        body: format!("{sleep}; exit {code}"),
        after: None,
    };
    match dice.below(20) {
        0..3 if left > 1 => {
            work.tasks = left.min(2 + dice.below(14));
            work.words.push(format!("--array=0-{}", work.tasks - 1));
        }
        3..5 => {
            work.words.extend(["--nodes=2".to_owned(), "--ntasks=2".to_owned()]);
            work.code = 0;
            // Without its controller srun gives up: a script that is to survive that tries again.
            work.body = format!(
                "{sleep}; for try in 1 2 3 4 5 6 7 8; do\n\
                 test \"$(srun printenv SLURMD_NODENAME | wc -l)\" = 2 && exit 0; sleep 3\n\
                 done; exit 1"
            );
        }
        5..9 => {
            let (flavor, amount) = ACCELERATORS[dice.below(3)];
            work.words.extend([format!("--flavors={flavor}"), amount.to_owned()]);
        }
        9..12 if !before.is_empty() => {
            let number = before.len() - 1 - dice.below(before.len().min(10));
            let kind = match (dice.below(2), before[number].code) {
                (0, _) => "afterany",
                (_, 0) => "afterok",
                (_, _) => "afternotok",
            };
            work.after = Some((number, kind));
            // Most often it runs elsewhere.
            let site = ["shanghai", "guiyang", "ulanqab"][dice.below(3)];
            work.words.push(format!("--clusters={site}-slurm"));
        }
        _ => {}
    }
    work
}

/// The script: it leaves a mark for each start, so that a second one would be seen.
pub fn script(work: &Work, dir: &Path) -> String {
    format!(
        "#!/bin/bash\n#SBATCH --time=5\n#SBATCH --output={dir}/out/%j\n\
         echo \"$SUANPAN_SITE $SLURM_JOB_ID $(date +%s.%N)\" >> {dir}/marks/$SUANPAN_ALLOCATION\n\
         {}\n",
        work.body,
        dir = dir.display()
    )
}
