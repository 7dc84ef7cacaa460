//! Pictures: what would rather be looked at than read.

mod build_log;
mod bundle;
mod graph;
mod logs_chart;
mod sizes;
