use super::*;

fn environment() -> BTreeMap<String, String> {
    [("EDITOR", "vi"), ("HOME", "/home/ann"), ("SLURM_CONF", "x")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

#[test]
fn follows_the_manual() {
    for (export, expected) in [
        (None, "EDITOR=vi HOME=/home/ann SLURM_CONF=x"),
        (Some("ALL"), "EDITOR=vi HOME=/home/ann SLURM_CONF=x"),
        (Some("NONE"), "SLURM_CONF=x"),
        (Some("nil"), "SLURM_CONF=x"),
        (Some("EDITOR,ARG1=test"), "ARG1=test EDITOR=vi SLURM_CONF=x"),
        (Some("A='1,2',B=\"x=y\",MISSING"), "A=1,2 B=x=y SLURM_CONF=x"),
        (Some("EDITOR=emacs"), "EDITOR=emacs SLURM_CONF=x"),
        (Some("ALL,EDITOR=emacs,B=2"), "B=2 EDITOR=vi HOME=/home/ann SLURM_CONF=x"),
    ] {
        let job = resolve(export, &environment()).expect("a valid list");
        let shown: Vec<String> =
            job.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(shown.join(" "), expected, "{export:?}");
    }
}

#[test]
fn refuses_by_name() {
    for export in ["", "A,,B", "1A=2", "A='x", "A B"] {
        assert!(resolve(Some(export), &environment()).is_err(), "{export}");
    }
}
