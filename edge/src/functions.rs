//! Functions: a visitor's request on its way to an instance, and the answer on its way back.

mod doubt;
mod invoke;
mod upgrade;
mod uploads;
mod wake;

pub(crate) use invoke::{FunctionRequest, FunctionServer};
pub(crate) use uploads::UploadPlaces;
pub(crate) use wake::LastWake;
