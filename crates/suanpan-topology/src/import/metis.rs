//! Graphs in the METIS format.
//!
//! The first line is `vertices edges [format [weights per vertex]]`; line i + 1 lists the neighbors
//! of vertex i, from 1, each edge in both its ends' lines. Format `1` has a weight after each
//! neighbor, `10` weights before the list, `100` a size before these. Lines that begin with `%` are
//! comments (METIS manual 5.1, section 4.1.1).

use crate::fabric::{ELEMENTS_MAX, Element, Fabric, FabricParts, Kind, LINKS_MAX};
use crate::generate::LinkTerms;
use crate::problem::Problem;
use crate::units::BitsPerSecond;

/// A graph as it was read: every edge in both its ends' rows, with one weight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetisGraph {
    /// The neighbors of vertex v are `neighbors[offsets[v]..offsets[v + 1]]`.
    pub offsets: Vec<usize>,
    /// Vertices from 0, in the order of the file.
    pub neighbors: Vec<u32>,
    /// Weight of the edge to each neighbor; 1 if the file has none.
    pub weights: Vec<u64>,
    /// Weight of each vertex (the first, if there are several); 1 if the file has none.
    pub vertex_weights: Vec<u64>,
}

struct Header {
    vertices: usize,
    edges: usize,
    has_sizes: bool,
    vertex_weights: usize,
    has_edge_weights: bool,
}

/// Reads a graph. O(text + edges log edges).
///
/// # Errors
/// The first line that does not keep to the format, or whose edge has not the same weight at its
/// other end.
pub fn parse(text: &str) -> Result<MetisGraph, Problem> {
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.starts_with('%'));
    let (number, first) = lines
        .next()
        .ok_or_else(|| Problem::at(1, "header", "", "a line `vertices edges [format]`"))?;
    let header = parse_header(number, first)?;
    let mut graph = MetisGraph { offsets: vec![0], ..MetisGraph::default() };
    for vertex in 0..header.vertices {
        // Trailing vertices without neighbors may have no line at all.
        let (number, line) = lines.next().unwrap_or((number + vertex + 1, ""));
        parse_row(&mut graph, &header, number, line)?;
    }
    if let Some((number, line)) = lines.find(|(_, line)| !line.trim().is_empty()) {
        let expected = format!("no more than {} lines of vertices", header.vertices);
        return Err(Problem::at(number, "vertex", line, &expected));
    }
    let found = graph.neighbors.len();
    if found != 2 * header.edges {
        let expected = format!("{} edges, as found (each in both its ends' lines)", found / 2);
        return Err(Problem::at(number, "edges", header.edges, &expected));
    }
    check_symmetry(&graph)?;
    Ok(graph)
}

/// A fabric from a graph: vertex v is element `n` and v from 0, holding as many ranks as its
/// weight; an edge's weight multiplies the bandwidth of `terms`.
///
/// # Errors
/// What [`parse`] refuses, a weight that is no capacity, or a bandwidth of 2⁶⁴ bit/s or more.
pub fn fabric(name: &str, text: &str, kind: Kind, terms: LinkTerms) -> Result<Fabric, Problem> {
    let graph = parse(text)?;
    let mut parts = FabricParts { name: name.to_owned(), ..FabricParts::default() };
    for (vertex, &weight) in graph.vertex_weights.iter().enumerate() {
        let capacity = u32::try_from(weight)
            .map_err(|_| Problem::new("vertex weight", weight, "a capacity below 2^32"))?;
        let id = format!("n{vertex}").into();
        parts.elements.push(Element { id, kind, capacity, ..Element::default() });
        for place in graph.offsets[vertex]..graph.offsets[vertex + 1] {
            let (far, weight) = (graph.neighbors[place], graph.weights[place]);
            if far > vertex as u32 {
                let bandwidth = terms.bandwidth.0.checked_mul(weight).ok_or_else(|| {
                    Problem::new("edge weight", weight, "a bandwidth below 2^64 bit/s")
                })?;
                let terms = LinkTerms { bandwidth: BitsPerSecond(bandwidth), ..terms };
                parts.links.push(terms.link(vertex as u32, far, &"".into()));
            }
        }
    }
    Fabric::new(parts)
}

fn parse_header(number: usize, line: &str) -> Result<Header, Problem> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let expected = "a line `vertices edges [format [weights per vertex]]`";
    let problem = || Problem::at(number, "header", line, expected);
    if !(2..=4).contains(&words.len()) {
        return Err(problem());
    }
    let vertices: usize = words[0].parse().map_err(|_| problem())?;
    let edges: usize = words[1].parse().map_err(|_| problem())?;
    let format = words.get(2).copied().unwrap_or("0");
    if format.len() > 3 || !format.chars().all(|c| c == '0' || c == '1') {
        return Err(Problem::at(number, "format", format, "up to three digits 0 or 1"));
    }
    let has =
        |place: usize| format.len() > place && format[format.len() - 1 - place..].starts_with('1');
    let vertex_weights = match words.get(3) {
        Some(word) => word.parse().map_err(|_| problem())?,
        None => 1,
    };
    if vertices > ELEMENTS_MAX || edges > LINKS_MAX || vertex_weights > 16 {
        let expected = "at most 1,048,576 vertices, 8,388,608 edges and 16 weights";
        return Err(Problem::at(number, "header", line, expected));
    }
    Ok(Header {
        vertices,
        edges,
        has_sizes: has(2),
        vertex_weights: if has(1) { vertex_weights } else { 0 },
        has_edge_weights: has(0),
    })
}

fn parse_row(
    graph: &mut MetisGraph,
    header: &Header,
    number: usize,
    line: &str,
) -> Result<(), Problem> {
    let mut words = line.split_whitespace();
    let vertex = graph.vertex_weights.len();
    if header.has_sizes {
        words.next();
    }
    let mut vertex_weight = 1;
    for place in 0..header.vertex_weights {
        let word = words.next().unwrap_or_default();
        let weight = whole(number, "vertex weight", word)?;
        if place == 0 {
            vertex_weight = weight;
        }
    }
    graph.vertex_weights.push(vertex_weight);
    while let Some(word) = words.next() {
        let neighbor = word.parse::<usize>().ok().filter(|n| (1..=header.vertices).contains(n));
        let Some(neighbor) = neighbor.filter(|&n| n != vertex + 1) else {
            let expected = format!("another vertex, from 1 to {}", header.vertices);
            return Err(Problem::at(number, "neighbor", word, &expected));
        };
        let weight = match header.has_edge_weights {
            true => whole(number, "edge weight", words.next().unwrap_or_default())?,
            false => 1,
        };
        graph.neighbors.push((neighbor - 1) as u32);
        graph.weights.push(weight);
    }
    graph.offsets.push(graph.neighbors.len());
    Ok(())
}

fn whole(number: usize, field: &str, word: &str) -> Result<u64, Problem> {
    word.parse().map_err(|_| Problem::at(number, field, word, "a whole number, at least 0"))
}

fn check_symmetry(graph: &MetisGraph) -> Result<(), Problem> {
    let mut there = Vec::with_capacity(graph.neighbors.len() / 2);
    let mut back = Vec::with_capacity(graph.neighbors.len() / 2);
    for vertex in 0..graph.vertex_weights.len() {
        for place in graph.offsets[vertex]..graph.offsets[vertex + 1] {
            let (from, to) = (vertex as u32, graph.neighbors[place]);
            let list = if from < to { &mut there } else { &mut back };
            list.push((from.min(to), from.max(to), graph.weights[place]));
        }
    }
    there.sort_unstable();
    back.sort_unstable();
    let odd = there.iter().zip(&back).find(|(a, b)| a != b).map(|(a, _)| *a);
    if let Some((a, b, weight)) = odd.or(there.get(back.len()).copied()) {
        let value = format!("{} to {} with weight {weight}", a + 1, b + 1);
        return Err(Problem::new(
            "edge",
            value,
            "the same edge and weight in both its ends' lines",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_graph_reads_with_and_without_weights() {
        let graph = parse("% a comment\n3 2 1\n2 5\n1 5 3 7\n2 7\n").expect("it is right");
        assert_eq!(graph.offsets, [0, 1, 3, 4]);
        assert_eq!(graph.weights, [5, 5, 7, 7]);
        let graph = parse("3 2 10\n4 2\n1 1 3\n9 2\n").expect("it is right");
        assert_eq!((graph.vertex_weights, graph.weights), (vec![4, 1, 9], vec![1; 4]));
    }

    #[test]
    fn what_is_wrong_is_told_by_line() {
        for (text, line, field) in [
            ("", 1, "header"),
            ("x y", 1, "header"),
            ("2 1 7\n", 1, "format"),
            ("2 1\n3\n1\n", 2, "neighbor"),
            ("2 1\n1\n1\n", 2, "neighbor"),
            ("2 1 1\n2\n1 4\n", 2, "edge weight"),
            ("2 2\n2\n1\n", 1, "edges"),
            ("2 1\n2\n1\n1\n", 4, "vertex"),
            ("2 1 1\n2 3\n1 4\n", 0, "edge"),
            ("3 1\n2 3\n\n\n", 0, "edge"),
        ] {
            let problem = parse(text).expect_err(text);
            assert_eq!((problem.line, problem.field.as_str()), (line, field), "{problem}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([0-9 %\\n]|\\PC){0,80}") {
            let _ = parse(&text);
        }
    }
}
