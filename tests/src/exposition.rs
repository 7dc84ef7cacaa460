//! Prometheus' text format, read more strictly than Prometheus does.
//!
//! It is written for the stories alone, so that it is an independent witness: what is not said twice, what adds up, and what stands
//! where the format wants it is checked here, each with the line that breaks the rule.

use std::collections::{BTreeMap, BTreeSet};

/// A document in Prometheus' text format, version 0.0.4.
#[derive(Debug)]
pub struct Exposition {
    samples: BTreeMap<String, String>,
    labels: BTreeSet<String>,
}

/// A family of samples, as its head says.
#[derive(Default)]
struct Family {
    name: String,
    kind: String,
    /// Of a histogram: for each set of labels the bounds and numbers so far.
    buckets: BTreeMap<String, Vec<(f64, u64)>>,
}

impl Exposition {
    /// Reads a document.
    ///
    /// # Panics
    ///
    /// At the first line that breaks a rule.
    #[track_caller]
    pub fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has no end");
        let mut read = Self { samples: BTreeMap::new(), labels: BTreeSet::new() };
        let (mut families, mut family) = (BTreeSet::new(), Family::default());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap_or_else(|| panic!("no words: {line}"));
                assert!(families.insert(name.to_owned()), "a family stands in two places: {line}");
                assert!(is_name(name) && !help.is_empty(), "{line}");
                read.finish(&family);
                family = Family { name: name.to_owned(), ..Family::default() };
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("no type: {line}"));
                assert!(name == family.name && family.kind.is_empty(), "the type is another family's: {line}");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "counters and nothing else are totals: {line}");
                kind.clone_into(&mut family.kind);
            } else {
                read.sample(&mut family, line);
            }
        }
        read.finish(&family);
        read
    }

    #[track_caller]
    fn sample(&mut self, family: &mut Family, line: &str) {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
        let number: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        assert!(number >= 0.0 && number.is_finite(), "{line}");
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix('}').unwrap_or_else(|| panic!("no end: {line}"))),
            None => (series, ""),
        };
        let labels = labels_of(labels, line);
        let names: BTreeSet<&str> = labels.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.len(), labels.len(), "a label stands twice: {line}");
        self.labels.extend(names.into_iter().map(str::to_owned));
        let suffix = name.strip_prefix(family.name.as_str()).unwrap_or_else(|| panic!("of another family: {line}"));
        let suffixes: &[&str] = if family.kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(suffixes.contains(&suffix), "{line}");
        assert_eq!(suffix == "_bucket", labels.iter().any(|(name, _)| name == "le"), "{line}");
        assert!(self.samples.insert(series.to_owned(), value.to_owned()).is_none(), "said twice: {line}");
        if suffix == "_bucket" {
            let (bounds, others): (Vec<_>, Vec<_>) = labels.into_iter().partition(|(name, _)| name == "le");
            let bound =
                if bounds[0].1 == "+Inf" { f64::INFINITY } else { bounds[0].1.parse().expect("a bound is a number") };
            let others: Vec<String> = others.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
            let others = if others.is_empty() { String::new() } else { format!("{{{}}}", others.join(",")) };
            family
                .buckets
                .entry(others)
                .or_default()
                .push((bound, value.parse().expect("a bucket holds a whole number")));
        }
    }

    /// A histogram's buckets grow to the count of all.
    #[track_caller]
    fn finish(&self, family: &Family) {
        let name = &family.name;
        for (labels, buckets) in &family.buckets {
            let grows = buckets.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
            let last = buckets.last().expect("there is one");
            assert!(grows && last.0.is_infinite(), "the buckets of {name}{labels} do not grow to all: {buckets:?}");
            assert_eq!(self.count(&format!("{name}_count{labels}")), last.1, "{name}{labels}");
            assert!(self.samples.contains_key(&format!("{name}_sum{labels}")), "{name}{labels} has no sum");
        }
    }

    /// A sample that is a whole number, by its name and labels as they are written: `name{label="value"}`.
    ///
    /// # Panics
    ///
    /// If there is none, or it is none.
    #[track_caller]
    pub fn count(&self, series: &str) -> u64 {
        self.sample_of(series).parse().expect("it is a whole number")
    }

    /// A sample, likewise.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[track_caller]
    pub fn value(&self, series: &str) -> f64 {
        self.sample_of(series).parse().expect("each sample was read as a number")
    }

    #[track_caller]
    fn sample_of(&self, series: &str) -> &str {
        self.samples.get(series).unwrap_or_else(|| panic!("no {series} among {:#?}", self.samples.keys()))
    }

    /// The names of all labels.
    pub fn labels(&self) -> Vec<&str> {
        self.labels.iter().map(String::as_str).collect()
    }
}

#[track_caller]
fn labels_of(mut text: &str, line: &str) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"").unwrap_or_else(|| panic!("no value: {line}"));
        assert!(is_name(name) && !name.contains(':'), "{line}");
        // No value in a story holds an escaped character.
        let (value, rest) = rest.split_once('"').unwrap_or_else(|| panic!("no end of a value: {line}"));
        labels.push((name.to_owned(), value.to_owned()));
        assert!(rest.is_empty() || rest.len() > 1 && rest.starts_with(','), "{line}");
        text = rest.strip_prefix(',').unwrap_or_default();
    }
    labels
}

fn is_name(name: &str) -> bool {
    let is_letter = |character: char| character.is_ascii_alphabetic() || "_:".contains(character);
    name.starts_with(is_letter) && name.chars().all(|character| is_letter(character) || character.is_ascii_digit())
}
