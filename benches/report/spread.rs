//! The same figure, measured several times.

/// The middle and the ends of what was measured.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// Of at least one value; of none, everything is NaN, which reaches no goal.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |position: usize| values.get(position).copied().unwrap_or(f64::NAN);
        let (lower, upper) = (values.len().saturating_sub(1) / 2, values.len() / 2);
        Self {
            median: f64::midpoint(at(lower), at(upper)),
            least: at(0),
            most: values.last().copied().unwrap_or(f64::NAN),
        }
    }

    /// `1021 ms (1008–1030)`.
    pub fn text(&self, unit: &str) -> String {
        format!("{} {unit} ({}–{})", rounded(self.median), rounded(self.least), rounded(self.most))
    }
}

/// With three digits, or all of those before the point.
pub fn rounded(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
