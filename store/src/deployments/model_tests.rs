//! Random sequences of what people do, against a model that is simple enough to be right by looking at it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use ship_core::{DeploymentId, Target};

use super::tests::{TestStore, branch, id_of, project};
use super::*;

const BRANCHES: [&str; 2] = ["main", "fix"];

/// Something that is done to the project `site`.
#[derive(Clone, Debug)]
enum Action {
    Publish { content: u8, target: Target, branch: Option<usize>, republish: Republish },
    Promote(u8),
    RollBack(Option<u8>),
    Remove(u8),
    Reopen,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let content = 0..5_u8;
    let republish = prop_oneof![Just(Republish::IfChanged), Just(Republish::Always)];
    let target = prop_oneof![Just(Target::Preview), Just(Target::Production)];
    let branch = proptest::option::of(0..BRANCHES.len());
    let action = prop_oneof![
        6 => (content.clone(), target, branch, republish)
            .prop_map(|(content, target, branch, republish)| Action::Publish { content, target, branch, republish }),
        2 => content.clone().prop_map(Action::Promote),
        4 => proptest::option::weighted(0.3, content.clone()).prop_map(Action::RollBack),
        2 => content.prop_map(Action::Remove),
        1 => Just(Action::Reopen),
    ];
    proptest::collection::vec(action, 1..30)
}

/// Where an alias points is the top of its trail; rolling back takes off what is above.
#[derive(Default, Debug)]
struct Model {
    existing: Vec<u8>,
    trails: BTreeMap<String, Vec<u8>>,
}

impl Model {
    fn publish(&mut self, content: u8, target: Target, branch: Option<usize>) {
        if !self.existing.contains(&content) {
            self.existing.push(content);
        }
        if let Some(number) = branch {
            self.put(&format!("site-git-{}", BRANCHES[number]), content);
        }
        if target == Target::Production || !self.trails.contains_key("site") {
            self.put("site", content);
        }
    }

    fn put(&mut self, label: &str, content: u8) {
        let trail = self.trails.entry(label.to_owned()).or_default();
        if trail.last() != Some(&content) {
            trail.push(content);
        }
    }

    fn production(&self) -> Option<u8> {
        self.trails.get("site").and_then(|trail| trail.last()).copied()
    }

    /// Takes moves off a trail until an existing deployment that is wanted is on top. Leaves it alone if there is none.
    fn take_off(&mut self, label: &str, is_wanted: impl Fn(u8) -> bool) -> bool {
        let trail = self.trails.get_mut(label).unwrap();
        let below = &trail[..trail.len() - 1];
        let Some(at) = below.iter().rposition(|content| self.existing.contains(content) && is_wanted(*content)) else {
            return false;
        };
        trail.truncate(at + 1);
        true
    }

    fn roll_back(&mut self, to: Option<u8>) -> bool {
        let Some(current) = self.production() else { return false };
        match to {
            None => self.take_off("site", |content| content != current),
            Some(content) if content == current => true,
            Some(content) if !self.existing.contains(&content) => false,
            Some(content) => {
                if !self.take_off("site", |earlier| earlier == content) {
                    self.put("site", content);
                }
                true
            }
        }
    }

    fn remove(&mut self, content: u8) -> bool {
        if !self.existing.contains(&content) || self.production() == Some(content) {
            return false;
        }
        let labels: Vec<String> = self.trails.keys().cloned().collect();
        for label in labels {
            if self.trails[&label].last() == Some(&content) && !self.take_off(&label, |earlier| earlier != content) {
                self.trails.remove(&label);
            }
        }
        self.existing.retain(|existing| *existing != content);
        true
    }
}

fn text(content: u8) -> String {
    format!("content {content}")
}

fn id(content: u8) -> DeploymentId {
    id_of("site", &text(content))
}

fn run(test: &mut TestStore, model: &mut Model, action: &Action) -> Result<(), TestCaseError> {
    let (site, now) = (project("site"), test.now);
    match action {
        Action::Publish { content, target, branch: number, republish } => {
            let on = number.map(|number| branch(BRANCHES[number]));
            let options = PublishOptions { target: *target, branch: on, republish: *republish, at: now };
            test.try_publish("site", &text(*content), options).unwrap();
            model.publish(*content, *target, *number);
        }
        Action::Promote(content) => {
            let is_done = test.deployments().promote(&site, &id(*content), now).is_ok();
            prop_assert_eq!(is_done, model.existing.contains(content));
            if is_done {
                model.put("site", *content);
            }
        }
        Action::RollBack(to) => {
            let result = test.deployments().rollback(&site, to.map(id), now);
            prop_assert_eq!(result.is_ok(), model.roll_back(*to), "{:?}", result);
        }
        Action::Remove(content) => {
            let result = test.deployments().remove(&id(*content), now);
            prop_assert_eq!(result.is_ok(), model.remove(*content), "{:?}", result);
        }
        Action::Reopen => test.reopen(),
    }
    Ok(())
}

/// What the model says is exactly what the store shows.
fn compare(test: &TestStore, model: &Model) -> Result<(), TestCaseError> {
    let mut expected: BTreeMap<String, DeploymentId> =
        model.trails.iter().map(|(label, trail)| (label.clone(), id(*trail.last().unwrap()))).collect();
    for content in &model.existing {
        let record = test.deployments().get(&id(*content)).unwrap().unwrap();
        expected.insert(record.own_label.to_string(), record.id);
        prop_assert_eq!(test.deployments().manifest(&record.id).unwrap().deployment_id(&record.project), record.id);
    }
    let aliases = test.deployments().aliases().unwrap();
    let found: BTreeMap<_, _> = aliases.iter().map(|alias| (alias.label.to_string(), alias.deployment)).collect();
    prop_assert_eq!(found, expected);
    prop_assert_eq!(test.deployments().list(None, 100).unwrap().len(), model.existing.len());
    for alias in aliases {
        let history = test.deployments().history(&alias.label).unwrap();
        prop_assert!((1..).zip(&history).all(|(version, moved)| moved.version == version));
        prop_assert!(history.windows(2).all(|pair| pair[0].to == pair[1].from));
        prop_assert_eq!(
            history.last().map(|moved| (moved.to, moved.version)),
            Some((Some(alias.deployment), alias.version))
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever is done in whatever order, aliases point where the model says, and the log explains how they got there.
    #[test]
    fn behaves_like_the_model(actions in actions()) {
        let mut test = TestStore::new();
        let mut model = Model::default();
        for action in &actions {
            run(&mut test, &mut model, action)?;
            compare(&test, &model)?;
        }
    }
}
