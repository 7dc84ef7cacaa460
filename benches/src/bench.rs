//! What a figure is told when it is measured.

use crate::load::Generator;
use crate::peer::Peer;

/// How to measure.
#[derive(Clone, Debug)]
pub(crate) struct Bench {
    /// How often each side of a comparison runs.
    pub(crate) runs: usize,
    /// What makes load, where it can be chosen.
    pub(crate) generator: Generator,
    /// Whom the figure at hand is measured against.
    pub(crate) against: Vec<Peer>,
}

impl Bench {
    /// Whether a peer is to be measured.
    pub(crate) fn meets(&self, peer: Peer) -> bool {
        self.against.contains(&peer)
    }
}

/// Whom a figure that knows `known` is measured against, where `named` are asked for: those of them that it knows. A figure that
/// knows none of them, or of whom nothing was said, meets everybody who need not be asked for.
pub(crate) fn narrowed(known: &[Peer], named: &[Peer]) -> Vec<Peer> {
    let chosen: Vec<Peer> = known.iter().copied().filter(|peer| named.contains(peer)).collect();
    if chosen.is_empty() {
        return known.iter().copied().filter(|peer| !peer.is_met_on_request()).collect();
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who is named is met alone, by figures that know them.
    #[test]
    fn who_is_met() {
        let known = [Peer::Nginx, Peer::Caddy];
        assert_eq!(narrowed(&known, &[]), [Peer::Nginx]);
        assert_eq!(narrowed(&known, &[Peer::Caddy]), [Peer::Caddy]);
        assert_eq!(narrowed(&known, &[Peer::Caddy, Peer::Nginx]), known);
        assert_eq!(narrowed(&known, &[Peer::Vite]), [Peer::Nginx]);
    }
}
