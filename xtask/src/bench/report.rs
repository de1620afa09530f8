//! The document with the figures: text by people, tables between markers.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

pub(super) struct Report {
    path: PathBuf,
    text: String,
}

impl Report {
    pub(super) fn open(root: &Path) -> anyhow::Result<Self> {
        let path = root.join("docs/dev/performance.md");
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(Self { path, text })
    }

    /// Puts `table` between the markers of that name, and shows it.
    pub(super) fn replace(&mut self, name: &str, table: &str) -> anyhow::Result<()> {
        println!("\n{table}");
        let (begin, end) = (
            format!("<!-- {name}: begin -->\n"),
            format!("<!-- {name}: end -->"),
        );
        let missing = || format!("{}: no markers for {name}", self.path.display());
        let start = self.text.find(&begin).with_context(missing)? + begin.len();
        let length = self.text[start..].find(&end).with_context(missing)?;
        self.text.replace_range(start..start + length, table);
        Ok(())
    }

    pub(super) fn save(&self) -> anyhow::Result<()> {
        fs::write(&self.path, &self.text).with_context(|| self.path.display().to_string())
    }
}

/// A Markdown table; all columns but the first are figures.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let mut rule = vec!["---".to_owned()];
    rule.resize(head.len(), "---:".to_owned());
    let rows: String = rows.iter().map(|row| line(row)).collect();
    format!("{}{}{rows}", line(&head), line(&rule))
}

/// The value in the middle.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    quantile(values, 0.5)
}

/// The value below which this part of all values lies.
pub(super) fn quantile(values: impl IntoIterator<Item = f64>, part: f64) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "an index, and there are few values"
    )]
    let index = (values.len().saturating_sub(1) as f64 * part).round() as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}
