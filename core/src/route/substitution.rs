//! What a pattern caught, put into destinations, queries and headers: each in the encoding of its place.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::effort::{Effort, Spent};
use super::pattern::{Pattern, PatternExhausted};
use crate::path::IN_URL;

/// The groups that a route's pattern and its conditions caught.
#[derive(Default, Debug)]
pub(super) struct Groups {
    numbered: Vec<String>,
    named: Vec<(String, String)>,
}

impl Groups {
    /// Matches `text` as a whole and remembers the groups.
    pub(super) fn capture(&mut self, pattern: &Pattern, text: &str) -> Result<bool, PatternExhausted> {
        let Some(captures) = pattern.captures(text)? else { return Ok(false) };
        for (index, name) in pattern.group_names().enumerate() {
            let value = captures.get(index).map_or("", |group| group.as_str());
            if let Some(name) = name {
                self.named.push((name.to_owned(), value.to_owned()));
            }
            if self.numbered.len() <= index {
                self.numbered.push(value.to_owned());
            }
        }
        Ok(true)
    }

    /// Remembers `value` under a name.
    pub(super) fn name(&mut self, name: &str, value: &str) {
        self.named.push((name.to_owned(), value.to_owned()));
    }

    /// `template` with `$1` and `$name` replaced by what was caught, each passed through `encode`.
    fn fill(&self, effort: &mut Effort, template: &str, encode: impl Fn(&str) -> String) -> Result<String, Spent> {
        effort.write(template.len())?;
        let mut filled = String::with_capacity(template.len());
        let mut rest = template;
        while let Some(at) = rest.find('$') {
            filled.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let word = word_at(rest);
            let end = if digits > 0 { digits } else { word };
            match self.value(&rest[..end]) {
                Some(value) => {
                    effort.write(value.len())?;
                    filled.push_str(&encode(value));
                }
                None if end == 0 => filled.push('$'),
                None => {}
            }
            rest = &rest[end..];
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn value(&self, name: &str) -> Option<&str> {
        match name.parse::<usize>() {
            Ok(index) => self.numbered.get(index).map(String::as_str),
            Err(_) => self.named.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str()),
        }
    }

    /// A destination's path: what was caught stays as it was matched.
    pub(super) fn fill_path(&self, effort: &mut Effort, template: &str) -> Result<String, Spent> {
        self.fill(effort, template, str::to_owned)
    }

    /// A destination's query: what was caught becomes the value of a parameter.
    pub(super) fn fill_query(&self, effort: &mut Effort, template: &str) -> Result<String, Spent> {
        self.fill(effort, template, |value| {
            let plain = percent_decode_str(value).decode_utf8_lossy();
            utf8_percent_encode(&plain, NON_ALPHANUMERIC).to_string()
        })
    }

    /// A header but `location`: what was caught is escaped as a URL's path is.
    pub(super) fn fill_header(&self, effort: &mut Effort, template: &str) -> Result<String, Spent> {
        self.fill(effort, template, escaped)
    }

    /// A URL of another host. In its authority what was caught can only be a part of a host name in front of a domain, or the
    /// `/` that begins the path: `None` where it would be more, such as a user, a port or another domain.
    pub(super) fn fill_url(&self, effort: &mut Effort, template: &str) -> Result<Option<String>, Spent> {
        let (start, end) = authority_of(template);
        let Some(authority) = self.fill_authority(effort, &template[start..end])? else { return Ok(None) };
        let path = self.fill_header(effort, &template[end..])?;
        Ok(Some(format!("{}{authority}{path}", &template[..start])))
    }

    /// Where a redirect leads. Without a host in the template that is this site, whatever was caught: browsers read two slashes,
    /// or a backslash in place of either, as the beginning of another host's name. With one, what was caught stays what the
    /// template makes of it, a label or all of the host; `None` where it would be more.
    pub(super) fn fill_location(&self, effort: &mut Effort, template: &str) -> Result<Option<String>, Spent> {
        let (start, end) = authority_of(template);
        if start == 0 {
            let filled = self.fill_location_path(effort, template)?;
            let path = filled.trim_start_matches('/');
            return Ok(Some(if filled.len() > path.len() { format!("/{path}") } else { filled }));
        }
        let authority = &template[start..end];
        let is_whole_host = authority.strip_prefix('$').is_some_and(|name| word_at(name) == name.len());
        let authority = match self.value(authority.trim_start_matches('$')).filter(|_| is_whole_host) {
            Some(host) => Some(escaped(host)),
            None => self.fill_authority(effort, authority)?,
        };
        let Some(authority) = authority else { return Ok(None) };
        let path = self.fill_location_path(effort, &template[end..])?;
        Ok(Some(format!("{}{authority}{path}", &template[..start])))
    }

    fn fill_location_path(&self, effort: &mut Effort, template: &str) -> Result<String, Spent> {
        self.fill(effort, template, |value| escaped(value).replace('\\', "%5C"))
    }

    fn fill_authority(&self, effort: &mut Effort, template: &str) -> Result<Option<String>, Spent> {
        effort.write(template.len())?;
        let (mut filled, mut rest) = (String::new(), template);
        while let Some(at) = rest.find('$') {
            filled.push_str(&rest[..at]);
            let (name, behind) = rest[at + 1..].split_at(word_at(&rest[at + 1..]));
            let Some(value) = self.value(name) else { return Ok(None) };
            effort.write(value.len())?;
            if behind.is_empty() && (value.is_empty() || value.starts_with('/')) {
                filled.push_str(&escaped(value));
            } else if behind.starts_with('.') && is_part_of_host(value) {
                filled.push_str(value);
            } else {
                return Ok(None);
            }
            rest = behind;
        }
        filled.push_str(rest);
        Ok(Some(filled))
    }
}

/// Where the host of a URL stands, with its user and port; both ends are 0 for a path of this site.
fn authority_of(template: &str) -> (usize, usize) {
    let start = match template.find("://").filter(|at| template[..*at].bytes().all(|byte| byte.is_ascii_alphanumeric()))
    {
        Some(scheme_end) => scheme_end + 3,
        None if template.starts_with("//") => 2,
        None => return (0, 0),
    };
    (start, template[start..].find(['/', '?', '#']).map_or(template.len(), |at| start + at))
}

/// How much of the beginning of `text` is the name of a group.
fn word_at(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
}

fn is_part_of_host(value: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    value.split('.').all(is_label)
}

fn escaped(value: &str) -> String {
    utf8_percent_encode(value, IN_URL).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::pattern::CaseRule;
    use super::*;

    fn groups(pattern: &str, text: &str) -> Groups {
        let mut groups = Groups::default();
        assert!(groups.capture(&Pattern::anchored(pattern, CaseRule::Sensitive).unwrap(), text).unwrap());
        groups
    }

    type Fill<T> = fn(&Groups, &mut Effort, &str) -> Result<T, Spent>;

    fn filled<T>(groups: &Groups, fill: Fill<T>, template: &str) -> T {
        fill(groups, &mut { Effort::OF_A_REQUEST }, template).unwrap_or_else(|Spent| panic!("{template} has room"))
    }

    /// Each place gets its own encoding, and a value cannot become a second parameter or a second header.
    #[test]
    fn encodings() {
        let groups = groups("/blog/(?<slug>.*)", "/blog/a b&c=%2Fd");
        assert_eq!(filled(&groups, Groups::fill_path, "/p/$1"), "/p/a b&c=%2Fd");
        assert_eq!(filled(&groups, Groups::fill_query, "slug=$slug"), "slug=a%20b%26c%3D%2Fd");
        assert_eq!(filled(&groups, Groups::fill_header, "/new/$1?x=1"), "/new/a%20b&c=%2Fd?x=1");
    }

    /// What was caught stays inside of the host name it was put into.
    #[test]
    fn hosts() {
        let url = |path: &str| filled(&groups("/([^/]*)/(.*)", path), Groups::fill_url, "https://$1.example.com/x/$2");
        assert_eq!(url("/shop/a b").as_deref(), Some("https://shop.example.com/x/a%20b"));
        assert_eq!(url("/a.b/").as_deref(), Some("https://a.b.example.com/x/"));
        for hostile in ["evil.test#", "evil.test?", "user@evil.test:80", "evil.test\\", "evil test", "", "%2f"] {
            assert_eq!(url(&format!("/{hostile}/x")), None, "{hostile}");
        }
        let behind = |path: &str| filled(&groups("/to(.*)", path), Groups::fill_url, "https://example.com$1");
        assert_eq!(behind("/to/a b").as_deref(), Some("https://example.com/a%20b"));
        assert_eq!(behind("/to").as_deref(), Some("https://example.com"));
        for hostile in [".evil.test", "@evil.test", ":80", "a", "?x", "#x", "\\\\evil.test"] {
            assert_eq!(behind(&format!("/to{hostile}")), None, "{hostile}");
        }
    }

    /// A redirect within the site stays there, and one to another host goes to the host that its author wrote.
    #[test]
    fn locations() {
        let location =
            |template: &str, value: &str| filled(&groups("(?<u>.*)", value), Groups::fill_location, template);
        for (value, path) in [
            ("x", "/x"),
            ("a b", "/a%20b"),
            ("/evil.test", "/evil.test"),
            ("//evil.test", "/evil.test"),
            ("\\evil.test", "/%5Cevil.test"),
            ("/\\evil.test", "/%5Cevil.test"),
        ] {
            assert_eq!(location("/$u", value).as_deref(), Some(path), "{value}");
        }
        assert_eq!(location("/a/$u", "/b").as_deref(), Some("/a//b"));
        assert_eq!(location("https://$u/x", "www.example.com").as_deref(), Some("https://www.example.com/x"));
        assert_eq!(location("https://$u.example.com/$u", "a").as_deref(), Some("https://a.example.com/a"));
        assert_eq!(location("//$u.example.com/", "a").as_deref(), Some("//a.example.com/"));
        assert_eq!(location("https://example.com$u", "/a").as_deref(), Some("https://example.com/a"));
        assert_eq!(location("/go?to=https://$u", "a").as_deref(), Some("/go?to=https://a"));
        for hostile in ["evil.test/", "evil.test\\", "evil.test#", "user@evil.test/", "evil.test:80"] {
            assert_eq!(location("https://$u.example.com/", hostile), None, "{hostile}");
            assert_eq!(location("//$u.example.com/", hostile), None, "{hostile}");
            assert_eq!(location("https://example.com$u", hostile), None, "{hostile}");
        }
    }

    /// A dollar that names no group stays a dollar; a group that did not take part is empty.
    #[test]
    fn dollars() {
        let groups = groups("/(a)?(b)", "/b");
        assert_eq!(filled(&groups, Groups::fill_path, "$1-$2-$9-$"), "-b--$");
    }
}
