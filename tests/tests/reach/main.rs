//! Where functions can send anything to: each way to the kernel's network and each spelling of an address, with servers of this machine as witnesses.

mod names;
mod ways;
mod witness;
