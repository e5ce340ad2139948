//! A cycle-level simulation of packets in input-queued routers with virtual channels and credits.
//!
//! It shares nothing with the estimator but the fabric: routes are made here. Every router has an
//! input for each link and one for its element, and an output likewise. A cycle has three parts:
//! 1. A packet whose head is first in its virtual channel takes a free virtual channel, of those
//!    that its route allows, at the output it goes to (round robin).
//! 2. Inputs and outputs are matched in two rounds of iSLIP (McKeown, IEEE/ACM ToN 7(2), 1999): an
//!    output grants one input that has a flit and a credit for it, an input accepts one output.
//! 3. Matched flits go; each is at the next router after the link's latency, which includes the
//!    router's own pipeline, and its credit is back in the cycle after that in which it leaves.
//!
//! Elements hold packets in a queue without end and put in a flit each cycle at most; they take
//! out a flit each cycle at most.

use std::collections::VecDeque;

use suanpan_topology::fabric::Fabric;

/// What routers and packets are like; times in cycles.
#[derive(Clone, Copy, Debug)]
pub struct Parameters {
    pub virtual_channels: usize,
    pub buffer_flits: usize,
    pub packet_flits: usize,
    pub latency: usize,
}

/// One step of a route: the link, and which virtual channels may be taken there.
#[derive(Clone, Copy, Debug)]
pub struct Hop {
    pub to: u32,
    pub first: usize,
    pub last: usize,
}

/// A packet's way; made anew for each packet, since some rules draw.
pub type Route<'a> = dyn Fn(u32, u32, &mut Random) -> Vec<Hop> + 'a;

pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Of mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

struct Packet {
    route: Vec<Hop>,
    born: usize,
}

#[derive(Clone, Copy)]
struct Flit {
    packet: usize,
    /// Which of the packet's flits.
    index: usize,
    /// How many hops it has made.
    hops: usize,
}

/// A virtual channel of an input.
#[derive(Clone, Default)]
struct Lane {
    flits: VecDeque<Flit>,
    /// Output and its virtual channel of the packet that is passing.
    to: Option<(usize, usize)>,
}

/// A virtual channel of an output: taken by a packet or not, and room at its far end.
#[derive(Clone, Copy)]
struct Room {
    taken: bool,
    credits: usize,
}

struct Output {
    /// Router and input at the far end; none for the element's own output.
    far: Option<(usize, usize)>,
    rooms: Vec<Room>,
    next_room: usize,
    next_input: usize,
}

struct Input {
    /// Router and output at the far end; none for the element's own input.
    far: Option<(usize, usize)>,
    lanes: Vec<Lane>,
    /// Virtual channels with flits, as bits.
    busy: u64,
    next_lane: usize,
}

struct Router {
    /// Element behind each output; the last output is the element's own.
    neighbors: Vec<u32>,
    inputs: Vec<Input>,
    outputs: Vec<Output>,
    flits: usize,
}

/// What a source's element waits to send.
#[derive(Default)]
struct Source {
    queue: VecDeque<usize>,
    /// The packet that is entering: next flit and the lane taken.
    entering: Option<(usize, usize, usize)>,
    rooms: Vec<Room>,
    next_room: usize,
}

pub struct Simulation<'a> {
    parameters: Parameters,
    route: &'a Route<'a>,
    routers: Vec<Router>,
    sources: Vec<Source>,
    packets: Vec<Packet>,
    /// Slots by cycle: router, input, lane, flit.
    wire: Vec<Vec<(usize, usize, usize, Flit)>>,
    /// Who gets one back in the next cycle: a router's output or a source, and the lane.
    credits: Vec<(Option<usize>, usize, usize)>,
    cycle: usize,
    random: Random,
    done: usize,
    latency_sum: f64,
    measured_from: usize,
    /// Packets that no router has yet.
    waiting: usize,
}

impl<'a> Simulation<'a> {
    pub fn new(fabric: &Fabric, parameters: Parameters, route: &'a Route<'a>, seed: u64) -> Self {
        let count = fabric.elements().len();
        let vcs = parameters.virtual_channels;
        assert!(vcs <= 64, "busy lanes are bits");
        let room = Room { taken: false, credits: parameters.buffer_flits };
        let mut routers: Vec<Router> = (0..count as u32)
            .map(|e| {
                let neighbors: Vec<u32> = fabric.neighbors(e).iter().map(|n| n.element).collect();
                let input = || Input {
                    far: None,
                    lanes: vec![Lane::default(); vcs],
                    busy: 0,
                    next_lane: 0,
                };
                let output =
                    || Output { far: None, rooms: vec![room; vcs], next_room: 0, next_input: 0 };
                let ports = neighbors.len() + 1;
                Router {
                    inputs: (0..ports).map(|_| input()).collect(),
                    outputs: (0..ports).map(|_| output()).collect(),
                    neighbors,
                    flits: 0,
                }
            })
            .collect();
        for e in 0..count {
            for port in 0..routers[e].neighbors.len() {
                let other = routers[e].neighbors[port] as usize;
                let back = routers[other].neighbors.iter().position(|&n| n as usize == e);
                let back = back.expect("links lead both ways");
                routers[e].outputs[port].far = Some((other, back));
                routers[other].inputs[back].far = Some((e, port));
            }
        }
        let sources = (0..count).map(|_| Source { rooms: vec![room; vcs], ..Source::default() });
        Self {
            parameters,
            route,
            routers,
            sources: sources.collect(),
            packets: Vec::new(),
            wire: vec![Vec::new(); parameters.latency + 2],
            credits: Vec::new(),
            cycle: 0,
            random: Random(seed),
            done: 0,
            latency_sum: 0.0,
            measured_from: 0,
            waiting: 0,
        }
    }

    fn send(&mut self, from: u32, to: u32) {
        let route = (self.route)(from, to, &mut self.random);
        self.packets.push(Packet { route, born: self.cycle });
        self.waiting += 1;
        self.sources[from as usize].queue.push_back(self.packets.len() - 1);
    }

    /// Cycles of one packet alone.
    pub fn alone(&mut self, from: u32, to: u32) -> f64 {
        (self.latency_sum, self.done) = (0.0, 0);
        self.send(from, to);
        while self.done == 0 {
            self.step();
        }
        self.latency_sum
    }

    /// Runs with packets made at random times (a Poisson process), `rate` in a cycle by each
    /// element whose row is not empty; a row has cumulative chances of destinations. The answer is
    /// the mean time of packets made after `warm_up` cycles, or none if queues grow beyond sense.
    pub fn run(
        &mut self,
        rows: &[Vec<(u32, f64)>],
        rate: f64,
        warm_up: usize,
        cycles: usize,
    ) -> Option<f64> {
        let mut next: Vec<f64> = rows.iter().map(|_| self.random.exponential() / rate).collect();
        self.measured_from = warm_up;
        for cycle in 0..warm_up + cycles {
            for (from, row) in rows.iter().enumerate().filter(|(_, row)| !row.is_empty()) {
                while next[from] <= cycle as f64 {
                    let draw = self.random.unit();
                    let to = row[row.partition_point(|cell| cell.1 <= draw).min(row.len() - 1)].0;
                    self.send(from as u32, to);
                    next[from] += self.random.exponential() / rate;
                }
            }
            if self.waiting > 40 * rows.len() {
                return None;
            }
            self.step();
        }
        Some(self.latency_sum / self.done.max(1) as f64)
    }

    fn step(&mut self) {
        let slot = self.cycle % self.wire.len();
        for (router, input, lane, flit) in std::mem::take(&mut self.wire[slot]) {
            let at = &mut self.routers[router];
            at.inputs[input].lanes[lane].flits.push_back(flit);
            assert!(at.inputs[input].lanes[lane].flits.len() <= self.parameters.buffer_flits);
            at.inputs[input].busy |= 1 << lane;
            at.flits += 1;
        }
        for (router, output, lane) in std::mem::take(&mut self.credits) {
            let rooms = match router {
                Some(router) => &mut self.routers[router].outputs[output].rooms,
                None => &mut self.sources[output].rooms,
            };
            rooms[lane].credits += 1;
        }
        for source in 0..self.sources.len() {
            self.inject(source);
        }
        for router in 0..self.routers.len() {
            if self.routers[router].flits > 0 {
                self.allocate_lanes(router);
                self.switch(router);
            }
        }
        self.cycle += 1;
    }

    /// The element puts the next flit of the packet that is entering into its router.
    fn inject(&mut self, element: usize) {
        let vcs = self.parameters.virtual_channels;
        let own = self.routers[element].neighbors.len();
        let source = &mut self.sources[element];
        if source.entering.is_none() && !source.queue.is_empty() {
            let free = (0..vcs).map(|i| (source.next_room + i) % vcs);
            let mut free = free.filter(|&lane| !source.rooms[lane].taken);
            if let Some(lane) = free.next() {
                source.next_room = (lane + 1) % vcs;
                source.rooms[lane].taken = true;
                let packet = source.queue.pop_front().expect("it is not empty");
                self.waiting -= 1;
                source.entering = Some((packet, 0, lane));
            }
        }
        if let Some((packet, index, lane)) = source.entering
            && source.rooms[lane].credits > 0
        {
            source.rooms[lane].credits -= 1;
            let is_last = index + 1 == self.parameters.packet_flits;
            if is_last {
                source.rooms[lane].taken = false;
                source.entering = None;
            } else {
                source.entering = Some((packet, index + 1, lane));
            }
            let slot = (self.cycle + 1) % self.wire.len();
            let flit = Flit { packet, index, hops: 0 };
            self.wire[slot].push((element, own, lane, flit));
        }
    }

    fn allocate_lanes(&mut self, router: usize) {
        let vcs = self.parameters.virtual_channels;
        let at = &mut self.routers[router];
        let own = at.neighbors.len();
        let count = at.inputs.len();
        for offset in 0..count {
            let input = (offset + self.cycle) % count;
            let mut busy = at.inputs[input].busy;
            while busy > 0 {
                let lane = busy.trailing_zeros() as usize;
                busy &= busy - 1;
                let waiting = &at.inputs[input].lanes[lane];
                if waiting.to.is_some() {
                    continue;
                }
                let flit = waiting.flits[0];
                let packet = &self.packets[flit.packet];
                let Some(hop) = packet.route.get(flit.hops) else {
                    at.inputs[input].lanes[lane].to = Some((own, 0));
                    continue;
                };
                let output = at.neighbors.iter().position(|&n| n == hop.to).expect("a neighbor");
                let out = &mut at.outputs[output];
                let free = (0..vcs).map(|i| (out.next_room + i) % vcs);
                let mut free = free.filter(|&room| {
                    (hop.first..=hop.last).contains(&room) && !out.rooms[room].taken
                });
                if let Some(room) = free.next() {
                    out.next_room = (room + 1) % vcs;
                    out.rooms[room].taken = true;
                    at.inputs[input].lanes[lane].to = Some((output, room));
                }
            }
        }
    }

    /// Matches inputs and outputs and moves one flit for each match.
    fn switch(&mut self, router: usize) {
        let at = &mut self.routers[router];
        let (count, own) = (at.inputs.len(), at.neighbors.len());
        let mut wanted = vec![0_u64; count * count];
        for (input, from) in at.inputs.iter().enumerate() {
            let mut busy = from.busy;
            while busy > 0 {
                let lane = busy.trailing_zeros() as usize;
                busy &= busy - 1;
                if let Some((output, room)) = from.lanes[lane].to
                    && (output == own || at.outputs[output].rooms[room].credits > 0)
                {
                    wanted[input * count + output] |= 1 << lane;
                }
            }
        }
        let mut matched: Vec<Option<usize>> = vec![None; count];
        let mut taken = vec![false; count];
        for round in 0..2 {
            let mut grants: Vec<Vec<usize>> = vec![Vec::new(); count];
            for output in (0..count).filter(|&output| !taken[output]) {
                let inputs = (0..count).map(|i| (at.outputs[output].next_input + i) % count);
                let mut asking =
                    inputs.filter(|&i| matched[i].is_none() && wanted[i * count + output] > 0);
                if let Some(input) = asking.next() {
                    grants[input].push(output);
                }
            }
            for (input, grants) in grants.iter().enumerate() {
                let first = at.inputs[input].next_lane;
                let Some(&output) =
                    grants.iter().min_by_key(|&&o| (o + count - first % count) % count)
                else {
                    continue;
                };
                matched[input] = Some(output);
                taken[output] = true;
                if round == 0 {
                    at.outputs[output].next_input = (input + 1) % count;
                    at.inputs[input].next_lane = (output + 1) % count;
                }
            }
        }
        for input in 0..count {
            if let Some(output) = matched[input] {
                let lanes = wanted[input * count + output];
                self.forward(router, input, output, lanes);
            }
        }
    }

    fn forward(&mut self, router: usize, input: usize, output: usize, lanes: u64) {
        let at = &mut self.routers[router];
        // Among the lanes that want this output the one after those of earlier cycles.
        let turn = self.cycle % self.parameters.virtual_channels;
        let after = lanes & (u64::MAX << turn);
        let lane = if after > 0 { after } else { lanes }.trailing_zeros() as usize;
        let from = &mut at.inputs[input];
        let mut flit = from.lanes[lane].flits.pop_front().expect("it asked");
        let (_, room) = from.lanes[lane].to.expect("it asked");
        at.flits -= 1;
        if from.lanes[lane].flits.is_empty() {
            from.busy &= !(1 << lane);
        }
        match from.far {
            Some((far, port)) => self.credits.push((Some(far), port, lane)),
            None => self.credits.push((None, router, lane)),
        }
        let is_last = flit.index + 1 == self.parameters.packet_flits;
        if is_last {
            from.lanes[lane].to = None;
        }
        let Some((far, port)) = at.outputs[output].far else {
            if is_last {
                let packet = &mut self.packets[flit.packet];
                if packet.born >= self.measured_from {
                    self.latency_sum += (self.cycle + 1 - packet.born) as f64;
                    self.done += 1;
                }
                packet.route = Vec::new();
            }
            return;
        };
        let out = &mut at.outputs[output].rooms[room];
        out.credits -= 1;
        if is_last {
            out.taken = false;
        }
        flit.hops += 1;
        let slot = (self.cycle + self.parameters.latency) % self.wire.len();
        self.wire[slot].push((far, port, room, flit));
    }
}
