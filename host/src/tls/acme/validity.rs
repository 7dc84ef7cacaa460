//! From when to when a certificate holds.

use jiff::Timestamp;
use x509_parser::parse_x509_certificate;

use crate::tls::certificate::Certificate;

/// From when to when a certificate holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Validity {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

/// What a certificate says of itself. `None` if it cannot be read.
pub(super) fn of(certificate: &Certificate) -> Option<Validity> {
    let (_, parsed) = parse_x509_certificate(certificate.key.cert.first()?).ok()?;
    let validity = parsed.validity();
    let time = |seconds| Timestamp::from_second(seconds).ok();
    Some(Validity { from: time(validity.not_before.timestamp())?, until: time(validity.not_after.timestamp())? })
}
