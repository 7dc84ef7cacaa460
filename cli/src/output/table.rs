//! Tables of plain columns, aligned with spaces.

use super::Styles;

/// Rows under a heading.
#[derive(Debug)]
pub(crate) struct Table<const COLUMNS: usize> {
    heading: [&'static str; COLUMNS],
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// A table without rows.
    pub(crate) const fn new(heading: [&'static str; COLUMNS]) -> Self {
        Self { heading, rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: [String; COLUMNS]) {
        self.rows.push(cells);
    }

    /// The table as lines. The last column is as wide as it is.
    pub(crate) fn render(&self, styles: Styles) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].as_str());
            cells.chain([self.heading[column]]).map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: [usize; COLUMNS] = std::array::from_fn(width);
        let heading = styles.dim(line(&self.heading, &widths));
        let rows = self.rows.iter().map(|row| line(row, &widths));
        std::iter::once(heading).chain(rows).map(|line| line + "\n").collect()
    }
}

fn line<T: AsRef<str>>(cells: &[T], widths: &[usize]) -> String {
    let padded: Vec<String> =
        cells.iter().zip(widths).map(|(cell, width)| format!("{:width$}", cell.as_ref(), width = *width)).collect();
    padded.join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Output;

    /// Columns are as wide as their widest cell, and no line ends in spaces.
    #[test]
    fn alignment() {
        let mut table = Table::new(["PROJECT", "BRANCH", "URL"]);
        table.row(["site".into(), "größe/überall".into(), "http://a".into()]);
        table.row(["date-weather".into(), String::new(), String::new()]);
        insta::assert_snapshot!(table.render(Output::for_tests().data_styles()), @r"
        PROJECT       BRANCH         URL
        site          größe/überall  http://a
        date-weather
        ");
    }
}
