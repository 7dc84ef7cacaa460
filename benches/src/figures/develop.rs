//! `ship dev`: how soon it answers, and how soon an edit is seen.

use crate::figure::Row;

pub(crate) fn first_answer(_: usize) -> Vec<Row> {
    Vec::new()
}
pub(crate) fn edited_function(_: usize) -> Vec<Row> {
    Vec::new()
}
pub(crate) fn edited_page(_: usize) -> Vec<Row> {
    Vec::new()
}
pub(crate) fn memory(_: usize) -> Vec<Row> {
    Vec::new()
}
