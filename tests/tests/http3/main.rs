//! HTTP/3: the same sites over QUIC, visitors over it who mean no good, and how it goes on where a host ends or is replaced.

mod hints;
mod hostile;
mod leaving;
mod raw;
mod stage;
mod visits;
