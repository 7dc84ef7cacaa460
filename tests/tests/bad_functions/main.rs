//! Functions that do all the harm they can, in each language: what their visitors are told, that a neighbour answers meanwhile, that
//! nothing of them is left a second after their end, and that the next request is served.

mod answers;
mod ends;
mod processes;
mod prying;
mod resources;
mod rust;
mod site;
