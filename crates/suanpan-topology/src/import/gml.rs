//! Networks in GML, as the Internet Topology Zoo keeps them.
//!
//! A text is keys with values: numbers, strings in quotes, and lists in brackets (Himsolt, "GML: a
//! portable graph file format", 1997). Of the graph's list, `node` (`id`, `label`, `Longitude`,
//! `Latitude`, `Internal`) and `edge` (`source`, `target`, `LinkSpeedRaw`) are read.

use super::sites::{self, Reach, Route, Site, SiteTerms};
use crate::fabric::Fabric;
use crate::problem::Problem;

/// Reads a network of sites. O(text).
///
/// # Errors
/// The line where the grammar is broken, or a node or edge lacks what it needs.
pub fn parse(name: &str, text: &str, terms: &SiteTerms) -> Result<Fabric, Problem> {
    let mut tokens = Tokens { rest: text, line: 1 };
    let mut sites = Vec::new();
    let mut routes = Vec::new();
    let mut is_found = false;
    while let Some((line, key)) = tokens.next()? {
        let Token::Word(key) = key else {
            return Err(Problem::at(line, "key", key.shown(), "a key"));
        };
        match tokens.value(line, key)? {
            Token::Open if key == "graph" => {
                is_found = true;
                graph(&mut tokens, &mut sites, &mut routes)?;
            }
            Token::Open => tokens.skip_list(line)?,
            _ => {}
        }
    }
    if !is_found {
        return Err(Problem::new("graph", "nothing", "`graph [ … ]`"));
    }
    sites::build(name, &sites, &routes, terms)
}

fn graph(
    tokens: &mut Tokens<'_>,
    sites: &mut Vec<Site>,
    routes: &mut Vec<Route>,
) -> Result<(), Problem> {
    while let Some((line, key)) = tokens.next()? {
        let key = match key {
            Token::Close => return Ok(()),
            Token::Word(key) => key,
            other => return Err(Problem::at(line, "key", other.shown(), "a key or `]`")),
        };
        match (key, tokens.value(line, key)?) {
            ("node", Token::Open) => sites.push(site(line, &record(tokens, line)?)?),
            ("edge", Token::Open) => routes.push(route(line, &record(tokens, line)?)?),
            (_, Token::Open) => tokens.skip_list(line)?,
            _ => {}
        }
    }
    Err(Problem::at(tokens.line, "graph", "the end of the text", "`]`"))
}

/// Keys and plain values of a list.
fn record<'a>(tokens: &mut Tokens<'a>, opened: usize) -> Result<Vec<(&'a str, &'a str)>, Problem> {
    let mut record = Vec::new();
    while let Some((line, key)) = tokens.next()? {
        let key = match key {
            Token::Close => return Ok(record),
            Token::Word(key) => key,
            other => return Err(Problem::at(line, "key", other.shown(), "a key or `]`")),
        };
        match tokens.value(line, key)? {
            Token::Open => tokens.skip_list(line)?,
            Token::Word(value) | Token::Quoted(value) => record.push((key, value)),
            Token::Close => return Err(Problem::at(line, key, "]", "a value")),
        }
    }
    Err(Problem::at(opened, "list", "the end of the text", "`]`"))
}

fn site(line: usize, record: &[(&str, &str)]) -> Result<Site, Problem> {
    let get = |key: &str| record.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    let key = get("id").ok_or_else(|| Problem::at(line, "node.id", "", "an id"))?;
    Ok(Site {
        key: key.to_owned(),
        label: get("label").unwrap_or_default().to_owned(),
        longitude: degrees(line, "Longitude", get("Longitude"))?,
        latitude: degrees(line, "Latitude", get("Latitude"))?,
        reach: if get("Internal") == Some("0") { Reach::External } else { Reach::Internal },
    })
}

pub(super) fn degrees(
    line: usize,
    field: &str,
    value: Option<&str>,
) -> Result<Option<f64>, Problem> {
    let Some(value) = value else { return Ok(None) };
    let number = value.parse().ok().filter(|degrees: &f64| degrees.abs() <= 360.0);
    number.map(Some).ok_or_else(|| Problem::at(line, field, value, "degrees"))
}

fn route(line: usize, record: &[(&str, &str)]) -> Result<Route, Problem> {
    let get = |key: &str| record.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    let end = |key: &str| {
        get(key).map(str::to_owned).ok_or_else(|| Problem::at(line, key, "", "the id of a node"))
    };
    let speed = get("LinkSpeedRaw").and_then(|speed| speed.parse().ok());
    Ok(Route { line, from: end("source")?, to: end("target")?, speed })
}

#[derive(Clone, Copy, Debug)]
enum Token<'a> {
    Word(&'a str),
    Quoted(&'a str),
    Open,
    Close,
}

impl<'a> Token<'a> {
    fn shown(self) -> &'a str {
        match self {
            Token::Word(text) | Token::Quoted(text) => text,
            Token::Open => "[",
            Token::Close => "]",
        }
    }
}

struct Tokens<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Tokens<'a> {
    /// The next token and its line.
    fn next(&mut self) -> Result<Option<(usize, Token<'a>)>, Problem> {
        loop {
            let start = self.rest.trim_start();
            self.line += newlines(&self.rest[..self.rest.len() - start.len()]);
            self.rest = start;
            if !start.starts_with('#') {
                break;
            }
            self.rest = start.find('\n').map_or("", |end| &start[end..]);
        }
        let Some(first) = self.rest.chars().next() else { return Ok(None) };
        let line = self.line;
        let (token, length) = match first {
            '[' => (Token::Open, 1),
            ']' => (Token::Close, 1),
            '"' => {
                let text = &self.rest[1..];
                let end = text
                    .find('"')
                    .ok_or_else(|| Problem::at(line, "text", text, "a closing quote"))?;
                (Token::Quoted(&text[..end]), end + 2)
            }
            _ => {
                let is_end = |c: char| c.is_whitespace() || "[]\"".contains(c);
                let end = self.rest.find(is_end).unwrap_or(self.rest.len());
                (Token::Word(&self.rest[..end]), end)
            }
        };
        self.line += newlines(&self.rest[..length]);
        self.rest = &self.rest[length..];
        Ok(Some((line, token)))
    }

    fn value(&mut self, line: usize, key: &str) -> Result<Token<'a>, Problem> {
        match self.next()? {
            Some((_, token)) => Ok(token),
            None => Err(Problem::at(line, key, "the end of the text", "a value")),
        }
    }

    fn skip_list(&mut self, opened: usize) -> Result<(), Problem> {
        let mut depth = 1_usize;
        while let Some((_, token)) = self.next()? {
            match token {
                Token::Open => depth += 1,
                Token::Close => depth -= 1,
                Token::Word(_) | Token::Quoted(_) => {}
            }
            if depth == 0 {
                return Ok(());
            }
        }
        Err(Problem::at(opened, "list", "the end of the text", "`]`"))
    }
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|&byte| byte == b'\n').count()
}
