//! The study as tables.

use super::{Outcome, Question, Study};

/// A column: its heading, the logged figure, digits after the point.
type Column = (&'static str, &'static str, usize);

const PRIOR_COLUMNS: [Column; 2] =
    [("NLL, nats per sample", "nll", 3), ("spectral distance of samples", "distance", 3)];
const POST_NET_COLUMNS: [Column; 2] =
    [("mel L1", "mel_l1_after", 4), ("mel L1 above 3 kHz", "mel_l1_above_3_khz", 4)];

impl Study {
    /// A Markdown table for each question: held-out figures of every variant after all its steps, and the first figure at
    /// each validation before that.
    pub fn markdown(&self) -> String {
        let prior = self.table(Question::Prior, "prior, conditioning", &PRIOR_COLUMNS);
        let post_net = self.table(Question::PostNet, "post-net", &POST_NET_COLUMNS);
        format!("{prior}\n{post_net}")
    }

    fn table(&self, question: Question, what: &str, columns: &[Column]) -> String {
        let outcomes: Vec<&Outcome> = self.outcomes.iter().filter(|o| o.question == question).collect();
        let steps: Vec<u64> =
            outcomes.first().map(|o| o.points.iter().map(|p| p.step).collect()).unwrap_or_default();
        let Some((last, before)) = steps.split_last() else { return String::new() };
        let mut heading = vec![what.to_owned(), "parameters".into()];
        heading.extend(before.iter().map(|step| format!("step {step}")));
        heading.extend(columns.iter().map(|(name, ..)| format!("{name}, step {last}")));
        let mut lines = vec![row(&heading), format!("|{}", "---|".repeat(heading.len()))];
        for outcome in outcomes {
            let mut cells = vec![outcome.title.clone(), thousands(outcome.parameters)];
            let first = columns.first();
            let trend = before.iter().filter_map(|&step| Some(outcome.figure(step, first?)));
            cells.extend(trend);
            cells.extend(columns.iter().map(|column| outcome.figure(*last, column)));
            lines.push(row(&cells));
        }
        lines.join("\n") + "\n"
    }
}

impl Outcome {
    fn figure(&self, step: u64, (_, name, digits): &Column) -> String {
        let point = self.points.iter().find(|point| point.step == step);
        match point.and_then(|point| point.figures.get(*name)?.as_f64()) {
            Some(value) => format!("{value:.digits$}").replace('-', "−"),
            None => "not measured".into(),
        }
    }
}

fn row(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// Digits in groups of three.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{Point, StudyConfig};
    use super::*;

    #[test]
    fn the_tables_show_the_trend_and_the_end() {
        let point = |step, nll: f64| Point {
            step,
            figures: [("nll".into(), nll.into()), ("distance".into(), 0.5.into())].into_iter().collect(),
        };
        let outcome = Outcome {
            name: "a".into(),
            title: "standard".into(),
            question: Question::Prior,
            parameters: 1_234_567,
            seconds: 3.0,
            points: vec![point(10, 1.0), point(20, -2.5)],
        };
        let study = Study { config: StudyConfig::default(), outcomes: vec![outcome] };
        let text = study.markdown();
        assert!(text.contains("| standard | 1,234,567 | 1.000 | −2.500 | 0.500 |"), "{text}");
        assert!(text.starts_with("| prior, conditioning | parameters | step 10 | NLL"), "{text}");
        assert_eq!([1, 12, 123, 1234].map(thousands), ["1", "12", "123", "1,234"]);
    }
}
