//! Lines over a common axis, as an SVG.

use std::fmt::Write as _;

/// The size of a panel, and what of it is around its plot.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 290.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 52.0;

/// One colour for each line of a panel: both are told apart without colour vision, too.
const COLOURS: [&str; 2] = ["#0b62a4", "#b85c00"];

/// One plot; its vertical axis begins at 0, so that what looks flat is flat.
pub struct Panel {
    /// What is plotted, with its unit.
    pub title: String,
    /// What is from left to right, with its unit.
    pub across: String,
    /// Where on that axis something is written, and what. The first and the last are its ends.
    pub ticks: Vec<(f64, String)>,
    /// At most as many as there are colours.
    pub lines: Vec<Line>,
}

/// A line.
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// Panels beside each other.
pub fn svg(description: &str, panels: &[Panel]) -> String {
    let width = WIDTH * panels.len() as f64;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {HEIGHT}\" width=\"{width}\" height=\"{HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\" role=\"img\">\n<title>{}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        escaped(description)
    );
    for (place, panel) in panels.iter().enumerate() {
        out.push_str(&format!("<g transform=\"translate({} 0)\">\n", WIDTH * place as f64));
        panel.write(&mut out);
        out.push_str("</g>\n");
    }
    out.push_str("</svg>\n");
    out
}

impl Panel {
    fn write(&self, out: &mut String) {
        let values = self.lines.iter().flat_map(|line| line.points.iter().map(|(_, value)| *value));
        let greatest = values.fold(0.0, f64::max);
        let step = step(greatest);
        // The axis ends at the first step that nothing is above of.
        let most = (greatest / step).ceil().max(1.0) * step;
        let first = self.ticks.first().map_or(0.0, |(at, _)| *at);
        let span = self.ticks.last().map_or(1.0, |(at, _)| *at - first).max(f64::MIN_POSITIVE);
        let x = |at: f64| LEFT + (at - first) / span * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BOTTOM - value / most * (HEIGHT - TOP - BOTTOM);

        text(out, LEFT, 18.0, "start", "font-weight=\"bold\"", &self.title);
        text(out, f64::midpoint(LEFT, WIDTH - RIGHT), HEIGHT - 12.0, "middle", "", &self.across);
        let mut value = 0.0;
        while value <= most * 1.001 {
            let _ = writeln!(
                out,
                "<path d=\"M{LEFT} {0:.1}H{1}\" stroke=\"{2}\"/>",
                y(value),
                WIDTH - RIGHT,
                if value == 0.0 { "#444" } else { "#ddd" }
            );
            text(out, LEFT - 8.0, y(value) + 4.0, "end", "", &number(value, step));
            value += step;
        }
        for (at, label) in &self.ticks {
            let _ = writeln!(out, "<path d=\"M{0:.1} {1}v5\" stroke=\"#444\"/>", x(*at), HEIGHT - BOTTOM);
            text(out, x(*at), HEIGHT - BOTTOM + 19.0, "middle", "", label);
        }
        for (place, (line, colour)) in self.lines.iter().zip(COLOURS).enumerate() {
            let points: Vec<String> =
                line.points.iter().map(|(at, value)| format!("{:.1},{:.1}", x(*at), y(*value))).collect();
            let dashes = if place == 0 { "" } else { " stroke-dasharray=\"6 4\"" };
            let _ = writeln!(
                out,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}/>",
                points.join(" ")
            );
            // With few points each is a measurement that is to be seen as such.
            for (at, value) in line.points.iter().filter(|_| line.points.len() < 20) {
                let _ =
                    writeln!(out, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>", x(*at), y(*value));
            }
            let colour = format!("fill=\"{colour}\"");
            text(out, LEFT + 150.0 * place as f64, 36.0, "start", &colour, &line.name);
        }
    }
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, more: &str, text: &str) {
    let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {more}>{}</text>", escaped(text));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// 1, 2 or 5 times a power of ten, of which the greatest value has two to five.
fn step(most: f64) -> f64 {
    let power = 10_f64.powf((most.max(f64::MIN_POSITIVE) / 5.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| most / step <= 5.0).unwrap_or(power)
}

/// With as many digits as the steps have.
fn number(value: f64, step: f64) -> String {
    let digits = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{value:.digits$}")
}
