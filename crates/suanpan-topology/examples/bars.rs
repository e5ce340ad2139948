//! trial
use suanpan_topology::map::{Problem, lab};
fn cpu()->f64{ let s=std::fs::read_to_string("/proc/thread-self/schedstat").unwrap(); s.split(' ').next().unwrap().parse::<f64>().unwrap()/1e9 }
const DATA:&str="/work/shared/data/fabric";
fn grid(dims:&[usize],torus:bool)->Vec<u32>{ let m:usize=dims.iter().product(); let c=|mut s:usize|{let mut v=vec![];for &d in dims.iter().rev(){v.push(s%d);s/=d;}v.reverse();v};
 let cs:Vec<_>=(0..m).map(c).collect(); let mut o=vec![0;m*m]; for a in 0..m{for b in 0..m{ o[a*m+b]=(0..dims.len()).map(|k|{let d=cs[a][k].abs_diff(cs[b][k]); if torus{d.min(dims[k]-d)}else{d}}).sum::<usize>() as u32;}} o}
fn tree(ar:&[usize])->Vec<u32>{ let m:usize=ar.iter().product(); let mut o=vec![0;m*m]; for a in 0..m{for b in 0..m{ let (mut x,mut y)=(a,b); let mut d=0; let mut w=1; for &r in ar{ if x!=y{d=w;} x/=r;y/=r;w*=10;} o[a*m+b]=d;}} o}
fn topo(t:&str)->Vec<u32>{ let n=|s:&str,c:char|s.split(c).map(|x|x.parse().unwrap()).collect::<Vec<usize>>();
 if let Some(r)=t.strip_prefix("mesh"){grid(&n(r,'x'),false)}else if let Some(r)=t.strip_prefix("torus"){grid(&n(r,'x'),true)}else{tree(&n(&t[4..],':'))}}
fn comm(name:&str)->Option<(usize,Vec<(u32,u32,i64)>,Vec<u32>)>{ let s=std::fs::read_to_string(format!("{DATA}/comm/{name}.graph")).ok()?; let mut it=s.lines(); let h:Vec<usize>=it.next().unwrap().split_whitespace().map(|x|x.parse().unwrap()).collect();
 let mut p=vec![]; for (i,l) in it.enumerate(){ let v:Vec<i64>=l.split_whitespace().map(|x|x.parse().unwrap()).collect(); for c in v.chunks(2){ if (c[0]-1) as usize>i {p.push((i as u32,c[0] as u32-1,c[1]));}}}
 let g=std::fs::read_to_string(format!("{DATA}/comm/{name}.rankorder")).unwrap().split_whitespace().map(|x|x.parse().unwrap()).collect(); Some((h[0],p,g))}
fn qap(name:&str,b_is_dist:bool)->(usize,Vec<(u32,u32,i64)>,Vec<u32>){ let s=std::fs::read_to_string(format!("{DATA}/qaplib/{name}.txt")).unwrap(); let v:Vec<i64>=s.split_whitespace().map(|x|x.parse().unwrap()).collect(); let n=v[0] as usize; let (a,b)=(&v[1..1+n*n],&v[1+n*n..]);
 let (f,d)=if b_is_dist{(a,b)}else{(b,a)}; let mut p=vec![]; for i in 0..n{for j in 0..n{ if i<j {p.push((i as u32,j as u32,f[i*n+j]+f[j*n+i]));}}} (n,p,d[..n*n].iter().map(|&x|x as u32).collect())}
fn main(){ let a:Vec<String>=std::env::args().collect(); let how=&a[2]; let ev:f64=a[3].parse().unwrap(); let seeds:u64=a[4].parse().unwrap(); let filt=a.get(5).cloned().unwrap_or_default();
 if a[1]=="qap"{ for l in std::fs::read_to_string(format!("{DATA}/qaplib/best_known.csv")).unwrap().lines().skip(1){ let c:Vec<&str>=l.split(',').collect(); if c[5].is_empty()||c[3]!="yes"||!c[0].contains(&filt){continue;}
  let (n,p,d)=qap(c[0],c[5].starts_with('B')); let pr=Problem::new(n,&p,n,d); let bk:f64=c[2].parse().unwrap();
  print!("{:10} {:10}",c[0],bk); for s in 0..seeds{ let t=cpu(); let (v,_)=lab::run(&pr,(0..n as u32).collect(),how,ev as u64,s); print!("  {:.3}% {:.2}s",(v as f64/bk-1.0)*100.0,cpu()-t);} println!(); } }
 else { for l in std::fs::read_to_string("/tmp/mapping/cases.txt").unwrap().lines(){ let c:Vec<&str>=l.split_whitespace().collect(); if !format!("{} {}",c[0],c[1]).contains(&filt){continue;} let Some((n,p,g))=comm(c[0]) else {continue}; let pr=Problem::new(n,&p,n,topo(c[1])); let best:f64=c[2].parse().unwrap();
  print!("{:20} {:12} best {:10} rank {} scotch {:.3}",c[0],c[1],best,pr.hop_bytes(&g),c[4].parse::<f64>().unwrap()/best); for s in 0..seeds{ let t=cpu(); let (v,_)=lab::run(&pr,g.clone(),how,ev as u64,s); print!("  {:.4} {:.2}s",v as f64/best,cpu()-t);} println!(); } }
}
