//! `Accept-Encoding`: which of an asset's variants a visitor takes.

use http::{HeaderMap, header};

use super::weight_of;

/// A content coding that the store keeps variants in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Coding {
    /// The bytes as they were deployed.
    Identity,
    /// `gzip`.
    Gzip,
    /// `zstd`.
    Zstd,
    /// `br`.
    Brotli,
}

/// What a visitor accepts: the weight of each coding in thousandths, 0 for one that is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct AcceptedCodings {
    brotli: u16,
    zstd: u16,
    gzip: u16,
    identity: u16,
}

impl AcceptedCodings {
    /// What is accepted by a request without the header.
    pub(crate) const IDENTITY_ONLY: Self = Self { brotli: 0, zstd: 0, gzip: 0, identity: 1000 };

    /// Reads the header; elements that cannot be read are passed over.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(header::ACCEPT_ENCODING).iter().peekable();
        if values.peek().is_none() {
            return Self::IDENTITY_ONLY;
        }
        Self::parse(values.filter_map(|value| value.to_str().ok()))
    }

    /// Reads the header where it is one line.
    pub(crate) fn of_value(value: &str) -> Self {
        Self::parse([value].into_iter())
    }

    fn parse<'v>(values: impl Iterator<Item = &'v str>) -> Self {
        let (mut brotli, mut zstd, mut gzip, mut identity, mut others) = (None, None, None, None, None);
        for element in values.flat_map(|value| value.split(',')) {
            let (name, parameters) = element.split_once(';').unwrap_or((element, ""));
            let name = name.trim();
            let slot = match name {
                _ if name.eq_ignore_ascii_case("br") => &mut brotli,
                _ if name.eq_ignore_ascii_case("zstd") => &mut zstd,
                _ if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => &mut gzip,
                _ if name.eq_ignore_ascii_case("identity") => &mut identity,
                "*" => &mut others,
                _ => continue,
            };
            if let Some(weight) = weight_of(parameters) {
                *slot = Some(weight);
            }
        }
        Self {
            brotli: brotli.or(others).unwrap_or(0),
            zstd: zstd.or(others).unwrap_or(0),
            gzip: gzip.or(others).unwrap_or(0),
            // Unless it is named, identity is acceptable and less welcome than any coding that is.
            identity: identity.unwrap_or(u16::from(others != Some(0))),
        }
    }

    /// Whether anything but the bytes as they are is welcome.
    pub(crate) fn wants_compressed(self) -> bool {
        self.brotli.max(self.zstd).max(self.gzip) > 0
    }

    /// The best of what `there_is`: the heavier weight, then the coding that makes the web's files smaller. When a visitor refuses all
    /// there is, identity is sent nevertheless, as RFC 9110 (section 12.5.3) permits.
    pub(crate) fn best(self, there_is: impl Fn(Coding) -> bool) -> Coding {
        let smaller_last = [(Coding::Gzip, self.gzip), (Coding::Zstd, self.zstd), (Coding::Brotli, self.brotli)];
        let welcome = smaller_last.into_iter().filter(|(coding, weight)| *weight > 0 && there_is(*coding));
        match welcome.max_by_key(|(_, weight)| *weight) {
            Some((coding, weight)) if weight >= self.identity => coding,
            _ => Coding::Identity,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn best(value: &str) -> Coding {
        AcceptedCodings::parse([value].into_iter()).best(|_| true)
    }

    /// What browsers and tools send, and what the weights mean.
    #[test]
    fn choices() {
        for (value, expected) in [
            ("gzip, deflate, br, zstd", Coding::Brotli),
            ("gzip, deflate", Coding::Gzip),
            ("zstd", Coding::Zstd),
            ("gzip, zstd", Coding::Zstd),
            ("zstd;q=0.9, br;q=0.8, gzip;q=0.7", Coding::Zstd),
            ("*;q=0.5, br;q=0, ZSTD;q=0", Coding::Gzip),
            ("br;q=0.5, gzip;q=0.8", Coding::Gzip),
            ("br;q=0.8, gzip;q=0.8", Coding::Brotli),
            ("BR", Coding::Brotli),
            ("x-gzip", Coding::Gzip),
            ("*", Coding::Brotli),
            ("*;q=0.5, br;q=0", Coding::Zstd),
            ("identity", Coding::Identity),
            ("identity;q=1, br;q=0.5", Coding::Identity),
            ("identity;q=0", Coding::Identity),
            ("identity;q=0, gzip;q=0.001", Coding::Gzip),
            ("br;q=0, gzip;q=0.000", Coding::Identity),
            ("br;q=2, gzip", Coding::Gzip),
            ("br;q=0.1234", Coding::Identity),
            ("br; q=1.0 , gzip", Coding::Brotli),
            ("", Coding::Identity),
            (",,;q=1,", Coding::Identity),
        ] {
            assert_eq!(best(value), expected, "{value:?}");
        }
    }

    /// Only what exists is chosen, and a request without the header gets the bytes as they are.
    #[test]
    fn absent_variants() {
        let accepted = AcceptedCodings::parse(["br, gzip"].into_iter());
        assert_eq!(accepted.best(|coding| coding != Coding::Brotli), Coding::Gzip);
        assert_eq!(accepted.best(|_| false), Coding::Identity);
        assert_eq!(AcceptedCodings::of(&HeaderMap::new()).best(|_| true), Coding::Identity);
    }

    proptest! {
        /// No value makes the parser panic, and a coding of weight 0 is never chosen.
        #[test]
        fn total(value in "[a-z*=;,. \\-0-9]{0,60}|(br|zstd|gzip|identity|\\*)(;q=[01](\\.[0-9]{0,4})?)?(, ?(br|gzip|\\*)(;q=[01](\\.[0-9]{0,4})?)?){0,4}") {
            let accepted = AcceptedCodings::parse([value.as_str()].into_iter());
            let weight = match accepted.best(|_| true) {
                Coding::Brotli => accepted.brotli,
                Coding::Zstd => accepted.zstd,
                Coding::Gzip => accepted.gzip,
                Coding::Identity => 1,
            };
            prop_assert!(weight > 0);
        }
    }
}
