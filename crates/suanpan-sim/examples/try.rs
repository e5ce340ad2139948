use suanpan_sim::experiment::{campaign, source::Sources};
struct W;
impl campaign::Watch for W { fn is_stopping(&self)->bool{false} fn finished(&self,d:usize,o:usize,_:u64){eprintln!("{d}/{o}")} }
fn main(){
    let a:Vec<String>=std::env::args().collect();
    let out=std::path::PathBuf::from(&a[2]);
    let (e,t)=suanpan_sim::output::read_experiment(a[1].as_ref()).unwrap();
    let s=Sources::open(&e).unwrap();
    suanpan_sim::output::prepare(&out,&t).unwrap();
    let d=campaign::run(&e,&s,&campaign::Setting{out:out.clone(),threads:2,reuse:Default::default()},&W).unwrap();
    suanpan_sim::output::conclude(&out,&e,&s,&d.complete().unwrap()).unwrap();
}
