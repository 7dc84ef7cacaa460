//! Functions: a visitor's request on its way to an instance, and the answer on its way back.

mod invoke;
mod upgrade;

pub(crate) use invoke::{FunctionRequest, FunctionServer};
