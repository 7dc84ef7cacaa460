//! Tables of plain columns, aligned with spaces. Where a terminal is too narrow, a row goes on in further lines at the ends of columns.

use std::ops::Range;

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
        let lines = in_lines(&widths, styles.width().unwrap_or(usize::MAX));
        let heading = rendered(&self.heading, &widths, &lines).into_iter().map(|line| styles.dim(line));
        let rows = self.rows.iter().flat_map(|row| rendered(row, &widths, &lines));
        heading.chain(rows).map(|line| line + "\n").collect()
    }
}

/// How far the further lines of a row stand in, in characters.
const INDENT: usize = 4;

/// What stands between two columns.
const GAP: &str = "  ";

/// Which columns stand on which line of a row, so that none is wider than `room` unless a single column is.
fn in_lines(widths: &[usize], room: usize) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let (mut first, mut taken) = (0, 0);
    for (column, width) in widths.iter().enumerate() {
        let wanted = if column == first { taken + width } else { taken + GAP.len() + width };
        if column > first && wanted > room {
            lines.push(first..column);
            (first, taken) = (column, INDENT + width);
        } else {
            taken = wanted;
        }
    }
    lines.push(first..widths.len());
    lines
}

/// The lines of a row. Those with nothing on them are left out.
fn rendered<T: AsRef<str>>(cells: &[T], widths: &[usize], lines: &[Range<usize>]) -> Vec<String> {
    let mut rendered = Vec::with_capacity(lines.len());
    for (number, columns) in lines.iter().enumerate() {
        let indent = if number == 0 { 0 } else { INDENT };
        let line = line(&cells[columns.clone()], &widths[columns.clone()]);
        if number == 0 || !line.is_empty() {
            rendered.push(format!("{:indent$}{line}", ""));
        }
    }
    rendered
}

fn line<T: AsRef<str>>(cells: &[T], widths: &[usize]) -> String {
    let padded: Vec<String> =
        cells.iter().zip(widths).map(|(cell, width)| format!("{:width$}", cell.as_ref(), width = *width)).collect();
    padded.join(GAP).trim_end().to_owned()
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

    /// On a narrow terminal rows go on in lines of their own, at the ends of columns; nothing is cut off.
    #[test]
    fn narrow() {
        let mut table = Table::new(["PROJECT", "ID", "BRANCH", "URL"]);
        table.row(["site".into(), "k3v9x2ab".into(), "main".into(), "http://site-k3v9x2ab.localhost:7700".into()]);
        table.row(["date-weather".into(), "0123abcd".into(), String::new(), String::new()]);
        insta::assert_snapshot!(table.render(Output::for_tests().data_styles().within(Some(32))), @r"
        PROJECT       ID        BRANCH
            URL
        site          k3v9x2ab  main
            http://site-k3v9x2ab.localhost:7700
        date-weather  0123abcd
        ");
    }
}
