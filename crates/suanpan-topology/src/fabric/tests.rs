use super::*;

fn element(id: &str) -> Element {
    Element { id: id.into(), capacity: 1, ..Element::default() }
}

fn triangle() -> FabricParts {
    let link = |a, b| Link { a, b, ..Link::default() };
    FabricParts {
        name: "triangle".to_owned(),
        elements: vec![element("a"), element("b"), element("c")],
        links: vec![link(0, 1), link(1, 2), link(2, 0)],
        ..FabricParts::default()
    }
}

#[test]
fn neighbors_are_over_what_is_usable() {
    let fabric = Fabric::new(triangle()).expect("it is right");
    let names = |e| fabric.neighbors(e).iter().map(|n| n.element).collect::<Vec<_>>();
    assert_eq!((names(0), names(1)), (vec![1, 2], vec![0, 2]));
    let broken = fabric.with_down(&[], &[0]);
    assert_eq!(broken.neighbors(0), [Neighbor { element: 2, link: 2 }]);
    let dead = fabric.with_down(&[2], &[]);
    assert_eq!((dead.neighbors(2).len(), dead.usable_links()), (0, 1));
    assert_eq!(dead.slots(), [0, 1]);
    assert!(!dead.is_usable(1) && !dead.is_up(2));
    assert_eq!(dead.links_between(2, 1).collect::<Vec<_>>(), [1]);
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    type Change = fn(&mut FabricParts);
    let changes: [(Change, &str); 8] = [
        (|p| p.elements[1].id = "a".into(), "elements.id"),
        (|p| p.elements[1].id = "".into(), "elements.id"),
        (|p| p.elements[1].kind = Kind::Switch, "elements[b].capacity"),
        (|p| p.links[1].a = 3, "links[1].a"),
        (|p| p.links[1].b = 1, "links[1].b"),
        (|p| p.ports.push(Ports { element: 9, ..Ports::default() }), "ports[0]"),
        (|p| p.levels.push(Level::from_names("rack", [None])), "levels[rack]"),
        (|p| p.shape = Shape::Grid(Grid::new(&[2, 2], Wrap::Open)), "lengths"),
    ];
    for (change, field) in changes {
        let mut parts = triangle();
        change(&mut parts);
        assert_eq!(Fabric::new(parts).expect_err(field).field, field);
    }
}
