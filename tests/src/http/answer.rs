//! A whole answer, and the form in which stories compare it.

/// How an answer ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// As HTTP asks: with its last chunk, or after its length.
    Complete,
    /// Before that.
    CutOff,
}

/// A whole answer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub struct Answer {
    /// The status code.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// How it ended.
    pub ending: Ending,
}

impl Answer {
    pub(super) fn new(status: u16, headers: Vec<(String, String)>, body: Vec<u8>, ending: Ending) -> Self {
        Self { status, headers, body, ending }
    }

    /// All headers in their order, their names in lower case.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The value of a header, several of one name joined by `, `.
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> =
            self.headers.iter().filter(|(header, _)| header == name).map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Status, the named headers and the body, one below the other.
    pub fn snapshot(&self, headers: &[&str]) -> String {
        let value = |name: &str| self.header(name).unwrap_or_else(|| "-".to_owned());
        let headers: Vec<String> = headers.iter().map(|name| format!("{name}: {}\n", value(name))).collect();
        let ending = if self.ending == Ending::CutOff { "(cut off)\n" } else { "" };
        format!("{}\n{}{ending}\n{}", self.status, headers.concat(), self.text())
    }

    /// The same answer, of a request that succeeded.
    #[track_caller]
    pub fn success(self) -> Self {
        assert_eq!((self.status, self.ending), (200, Ending::Complete), "{:?}\n{}", self.headers, self.text());
        self
    }
}
