//! Ship's own website: what its pages tell readers to do is done, and what stands on it is found by clicking and by searching.

mod browsed;
mod followed;
mod links;
mod stage;
