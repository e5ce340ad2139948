//! trial
use super::*;
/// t
pub fn run(p:&Problem, given:Vec<u32>, how:&str, evals:u64, seed:u64)->(i64,Vec<u32>){
    let mut r=Random::new(seed,0);
    let mut s=problem::State::new(p,given);
    match how {
        "tabu"=>{ r.shuffle(&mut s.slot_of); s=problem::State::new(p,s.slot_of.clone()); tabu::tabu(p,&mut s,evals,&mut r)},
        "sa"=>anneal::anneal(p,&mut s,anneal::Heat::Melt,evals,&mut r),
        "warm"=>anneal::anneal(p,&mut s,anneal::Heat::Warm(0.05),evals,&mut r),
        _=>panic!(),
    }
    (s.value,s.slot_of)
}
