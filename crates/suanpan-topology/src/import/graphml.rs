//! Networks in GraphML, as the Internet Topology Zoo publishes them.
//!
//! Of the format (graphml.graphdrawing.org, "GraphML primer") `key`, `node`, `edge` and `data` are
//! read; entities are XML's own five, and a document type is skipped, never followed.

use std::collections::BTreeMap;

use super::gml::degrees;
use super::sites::{self, Reach, Route, Site, SiteTerms};
use crate::fabric::Fabric;
use crate::problem::Problem;

/// Reads a network of sites. Nodes have data called `label`, `Longitude`, `Latitude` and
/// `Internal`, edges `LinkSpeedRaw`; none of these must be there. O(text log keys).
///
/// # Errors
/// The line where the grammar is broken, or a node or edge lacks what it needs.
pub fn parse(name: &str, text: &str, terms: &SiteTerms) -> Result<Fabric, Problem> {
    let mut reader = Reader::default();
    let mut tags = Tags { rest: text, line: 1 };
    while let Some(tag) = tags.next()? {
        reader.take(&tag)?;
    }
    if reader.is_graph {
        return sites::build(name, &reader.sites, &reader.routes, terms);
    }
    Err(Problem::new("graph", "nothing", "`<graphml><graph>…</graph></graphml>`"))
}

/// A tag, with the text that follows it up to the next.
struct Tag<'a> {
    line: usize,
    name: &'a str,
    is_closing: bool,
    is_empty: bool,
    attributes: Vec<(&'a str, String)>,
    text: String,
}

impl Tag<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str())
    }

    fn must(&self, key: &str) -> Result<String, Problem> {
        let field = format!("{}.{key}", self.name);
        let found = self.get(key).map(str::to_owned);
        found.ok_or_else(|| Problem::at(self.line, field, "", "an attribute that is there"))
    }
}

#[derive(Default)]
struct Reader {
    is_graph: bool,
    keys: BTreeMap<String, String>,
    sites: Vec<Site>,
    routes: Vec<Route>,
    inside: Inside,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Inside {
    #[default]
    Nothing,
    Node,
    Edge,
}

impl Reader {
    fn take(&mut self, tag: &Tag<'_>) -> Result<(), Problem> {
        // A prefix says which namespace; GraphML's own names are the same in all files.
        let name = tag.name.rsplit(':').next().unwrap_or(tag.name);
        match (name, tag.is_closing) {
            ("graph", false) => self.is_graph = true,
            ("key", false) => {
                let called = tag.get("attr.name").or(tag.get("id")).unwrap_or_default();
                self.keys.insert(tag.must("id")?, called.to_owned());
            }
            ("node", false) => {
                self.sites.push(Site { key: tag.must("id")?, ..Site::default() });
                self.inside = if tag.is_empty { Inside::Nothing } else { Inside::Node };
            }
            ("edge", false) => {
                let (from, to) = (tag.must("source")?, tag.must("target")?);
                self.routes.push(Route { line: tag.line, from, to, speed: None });
                self.inside = if tag.is_empty { Inside::Nothing } else { Inside::Edge };
            }
            ("node" | "edge", true) => self.inside = Inside::Nothing,
            ("data", false) => self.data(tag)?,
            _ => {}
        }
        Ok(())
    }

    fn data(&mut self, tag: &Tag<'_>) -> Result<(), Problem> {
        let key = tag.must("key")?;
        let called = self.keys.get(&key).map_or(key.as_str(), String::as_str);
        let text = tag.text.trim();
        match (self.inside, self.sites.last_mut(), self.routes.last_mut()) {
            (Inside::Node, Some(site), _) => match called {
                "label" => text.clone_into(&mut site.label),
                "Longitude" => site.longitude = degrees(tag.line, called, Some(text))?,
                "Latitude" => site.latitude = degrees(tag.line, called, Some(text))?,
                "Internal" if text == "0" => site.reach = Reach::External,
                _ => {}
            },
            (Inside::Edge, _, Some(route)) if called == "LinkSpeedRaw" => {
                route.speed = text.parse().ok();
            }
            _ => {}
        }
        Ok(())
    }
}

struct Tags<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Tags<'a> {
    fn next(&mut self) -> Result<Option<Tag<'a>>, Problem> {
        loop {
            let Some(start) = self.rest.find('<') else { return Ok(None) };
            self.advance(start);
            let line = self.line;
            let skipped = [("<!--", "-->"), ("<?", "?>"), ("<![CDATA[", "]]>"), ("<!", ">")];
            let skip = skipped.iter().find(|(open, _)| self.rest.starts_with(open));
            let end_of = skip.map_or(">", |(_, end)| end);
            let Some(end) = self.rest.find(end_of) else {
                let expected = format!("`{end_of}` at the end");
                return Err(Problem::at(line, "tag", self.rest, &expected));
            };
            let inside = &self.rest[1..end];
            self.advance(end + end_of.len());
            if skip.is_none() {
                return self.tag(line, inside).map(Some);
            }
        }
    }

    fn advance(&mut self, length: usize) {
        self.line += self.rest[..length].bytes().filter(|&byte| byte == b'\n').count();
        self.rest = &self.rest[length..];
    }

    fn tag(&self, line: usize, inside: &'a str) -> Result<Tag<'a>, Problem> {
        let (inside, is_empty) =
            inside.strip_suffix('/').map_or((inside, false), |inside| (inside, true));
        let (inside, is_closing) =
            inside.strip_prefix('/').map_or((inside, false), |inside| (inside, true));
        let (name, mut rest) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
        let mut attributes = Vec::new();
        while !rest.trim().is_empty() {
            let attribute = rest.trim_start().split_once('=').and_then(|(key, value)| {
                let value = value.trim_start();
                let quote = value.chars().next().filter(|c| "\"'".contains(*c))?;
                let (value, after) = value[1..].split_once(quote)?;
                Some((key.trim(), value, after))
            });
            let Some((key, value, after)) = attribute else {
                return Err(Problem::at(line, name, rest, "attributes as `id=\"n0\"`"));
            };
            attributes.push((key, plain(value)));
            rest = after;
        }
        let text = self.rest.split('<').next().unwrap_or_default();
        Ok(Tag { line, name, is_closing, is_empty, attributes, text: plain(text) })
    }
}

/// A text with XML's five entities replaced; any other stays as it is written.
fn plain(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let entities =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    // The ampersand is last, so that `&amp;lt;` stays `&lt;`.
    entities.iter().fold(text.to_owned(), |text, (entity, plain)| text.replace(entity, plain))
}
