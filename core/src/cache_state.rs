//! Where an answer came from that may be kept for more than one visitor.

/// Where an answer came from that may be kept for more than one visitor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CacheState {
    /// It was kept, and is fresh.
    Hit,
    /// It was kept, and a newer one is on its way or was tried lately.
    Stale,
    /// The function has just made it.
    Miss,
    /// It was made when the site was built.
    Prerender,
    /// The function has made it for this visitor alone.
    Bypass,
    /// The function has just made it, because somebody who may asked for that.
    Revalidated,
}

impl CacheState {
    /// All of them, in the order in which they are counted.
    pub const ALL: [Self; 6] = [Self::Hit, Self::Stale, Self::Miss, Self::Prerender, Self::Bypass, Self::Revalidated];

    /// Whether the function was asked.
    pub const fn is_of_function(self) -> bool {
        matches!(self, Self::Miss | Self::Bypass | Self::Revalidated)
    }

    /// The word in headers and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "HIT",
            Self::Stale => "STALE",
            Self::Miss => "MISS",
            Self::Prerender => "PRERENDER",
            Self::Bypass => "BYPASS",
            Self::Revalidated => "REVALIDATED",
        }
    }
}
