//! The dashboard in a real browser: who gets in, what is shown, and what can be done.

mod builds;
mod charts;
mod device_code;
mod hostile_log_lines;
mod layout;
mod live;
mod live_logs;
mod login;
mod promote_and_rollback;
mod settings;
mod stage;
mod strangers;
mod ten_thousand;
mod without_javascript;
mod wrong_addresses;
