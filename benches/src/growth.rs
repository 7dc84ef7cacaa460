//! How costs grow: the same work measured at sizes from ten to a hundred thousand, and the power of the size that fits.

mod deployments;
mod files;
mod fit;
mod projects;

use serde::{Deserialize, Serialize};

pub(crate) use fit::Fit;

use crate::bench::Bench;
use crate::samples::{Samples, Unit};

/// Something that grows, and what is looked at while it does.
pub(crate) struct Study {
    /// Its name on the command line.
    pub(crate) id: &'static str,
    /// What grows.
    pub(crate) work: &'static str,
    /// Measures it.
    pub(crate) measure: fn(&Bench) -> Vec<Curve>,
}

/// All of them.
pub(crate) const ALL: [Study; 3] = [
    Study { id: "G1", work: "files in a deployment, 10 to 200,000", measure: files::grow },
    Study { id: "G2", work: "deployments on a host, 10 to 100,000", measure: deployments::grow },
    Study { id: "G3", work: "projects on a host, 10 to 10,000", measure: projects::grow },
];

/// What one kind of work costs at each size.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Curve {
    /// The study that it belongs to.
    pub(crate) id: String,
    /// What grows.
    pub(crate) of: String,
    /// What is done.
    pub(crate) work: String,
    /// What the samples count.
    pub(crate) unit: Unit,
    /// What it cost at each size, from the smallest on.
    pub(crate) points: Vec<Point>,
    /// The line that fits the largest sizes.
    pub(crate) fit: Fit,
}

/// What something cost at one size.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Point {
    /// The size.
    pub(crate) size: f64,
    /// Every sample, in ascending order.
    pub(crate) samples: Vec<f64>,
}

impl Point {
    /// The sample in the middle.
    pub(crate) fn median(&self) -> f64 {
        Samples::new(Unit::Count, self.samples.clone()).median()
    }
}

/// Curves in the making: one for each kind of work, in the order in which they were first looked at.
#[derive(Default)]
struct Curves(Vec<Curve>);

impl Curves {
    /// Notes what some work cost at one size.
    fn note(&mut self, of: &str, work: &str, size: usize, samples: &Samples) {
        let point = Point { size: size as f64, samples: samples.values().to_vec() };
        match self.0.iter_mut().find(|curve| curve.work == work) {
            Some(curve) => curve.points.push(point),
            None => self.0.push(Curve {
                id: String::new(),
                of: of.to_owned(),
                work: work.to_owned(),
                unit: samples.unit(),
                points: vec![point],
                fit: Fit::default(),
            }),
        }
    }

    /// The curves, each with the line that fits it.
    fn fitted(self) -> Vec<Curve> {
        self.0.into_iter().map(|curve| Curve { fit: Fit::of(&curve.points), ..curve }).collect()
    }
}
