//! Drawing in SVG: a few shapes, written as text.

use std::fmt::Write;

/// A drawing that grows.
pub struct Svg {
    body: String,
    width: f64,
    height: f64,
    title: String,
}

/// To which side of its point a text stands.
#[derive(Clone, Copy)]
pub enum Anchor {
    /// The point is where it begins.
    Start,
    /// The point is its middle.
    Middle,
    /// The point is where it ends.
    End,
}

impl Svg {
    /// An empty drawing. `title` is read out to those who cannot see it.
    pub fn new(width: f64, height: f64, title: &str) -> Svg {
        Svg { body: String::new(), width, height, title: title.to_owned() }
    }

    /// A straight line.
    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(format_args!(
            r#"<line class="{class}" x1="{}" y1="{}" x2="{}" y2="{}"/>"#,
            short(x1),
            short(y1),
            short(x2),
            short(y2)
        ));
    }

    /// Rules for the classes of what follows, for a drawing that stands outside a page.
    pub fn style(&mut self, rules: &str) {
        self.add(format_args!("<style>\n{rules}</style>"));
    }

    /// A rectangle, its corners as round as `radius`.
    pub fn rect(&mut self, class: &str, at: (f64, f64), size: (f64, f64), radius: f64) {
        let [x, y, width, height] = [at.0, at.1, size.0, size.1].map(short);
        let size = format!("width=\"{width}\" height=\"{height}\" rx=\"{radius}\"");
        self.add(format_args!(r#"<rect class="{class}" x="{x}" y="{y}" {size}/>"#));
    }

    /// A dot.
    pub fn dot(&mut self, class: &str, at: (f64, f64), radius: f64) {
        let (x, y) = (short(at.0), short(at.1));
        self.add(format_args!(r#"<circle class="{class}" cx="{x}" cy="{y}" r="{radius}"/>"#));
    }

    /// A line through points.
    pub fn path(&mut self, class: &str, points: &[(f64, f64)]) {
        self.add(format_args!(r#"<path class="{class}" d="{}"/>"#, through(points)));
    }

    /// The area between a line and the way back along another.
    pub fn area(&mut self, class: &str, there: &[(f64, f64)], back: &[(f64, f64)]) {
        let mut points = there.to_vec();
        points.extend(back.iter().rev());
        self.add(format_args!(r#"<path class="{class}" d="{}Z"/>"#, through(&points)));
    }

    /// Text.
    pub fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        self.marked(class, at, anchor, "", &escaped(text));
    }

    /// Text with attributes of its own; both are put in as they are.
    pub fn marked(
        &mut self,
        class: &str,
        at: (f64, f64),
        anchor: Anchor,
        attributes: &str,
        inner: &str,
    ) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (x, y) = (short(at.0), short(at.1));
        let place = format!("x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\"");
        self.add(format_args!("<text class=\"{class}\" {place}{attributes}>{inner}</text>"));
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.body, "{element}").expect("text takes everything");
    }

    /// The whole as an element for a page.
    pub fn finish(self) -> String {
        let Svg { body, width, height, title } = self;
        let title = escaped(&title);
        format!(
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\" \
             xmlns=\"http://www.w3.org/2000/svg\">\n{body}</svg>\n"
        )
    }
}

/// The commands that draw a line through points.
fn through(points: &[(f64, f64)]) -> String {
    let mut text = String::with_capacity(points.len() * 12);
    for (index, (x, y)) in points.iter().enumerate() {
        text.push(if index == 0 { 'M' } else { 'L' });
        text.push_str(&short(*x));
        text.push(' ');
        text.push_str(&short(*y));
    }
    text
}

/// A coordinate with one decimal at most.
fn short(value: f64) -> String {
    let value = (value * 10.0).round() / 10.0;
    // Never "-0".
    format!("{}", if value == 0.0 { 0.0 } else { value })
}

/// Text as HTML and SVG take it.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}
