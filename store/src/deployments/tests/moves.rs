//! Where names lead: rollbacks, promotions, and what is removed.

use super::*;

/// Rolling back goes back step by step, a publish after it goes on from there, and nothing lies before the first.
#[test]
fn rolling_back() {
    let test = TestStore::new();
    let [a, b, c] = ["a", "b", "c"].map(|content| test.to_production("site", content));
    assert_eq!(test.deployments().rollback_target(&project("site")).unwrap(), b);
    assert_eq!(test.roll_back("site").unwrap(), b);
    assert_eq!(test.deployments().rollback_target(&project("site")).unwrap(), a);
    assert_eq!(test.roll_back("site").unwrap(), a);
    let nowhere = test.deployments().rollback_target(&project("site"));
    assert!(matches!(nowhere, Err(RollbackError::NothingBefore { current, .. }) if current == a));
    let error = test.roll_back("site").unwrap_err();
    let expected = format!("project `site` had no production deployment before {} that still exists", a.short());
    assert_eq!(error.to_string(), expected);
    let d = test.to_production("site", "d");
    assert_eq!(test.roll_back("site").unwrap(), a, "not to what was rolled back before");
    test.deployments().promote(&project("site"), &c, test.now).unwrap();
    test.deployments().promote(&project("site"), &d, test.now).unwrap();
    assert_eq!(test.roll_back("site").unwrap(), c);
    assert_eq!(test.roll_back("site").unwrap(), a);
    assert!(matches!(test.roll_back("nothing"), Err(RollbackError::NoProduction { .. })));
}

/// Rolling back to a named deployment takes off all moves above it; to one that never was production, it is a promotion.
#[test]
fn rolling_back_to_one() {
    let test = TestStore::new();
    let [a, b, c] = ["a", "b", "c"].map(|content| test.to_production("site", content));
    let site_project = project("site");
    let to = |id| test.deployments().rollback(&site_project, Some(id), test.now);
    assert_eq!(to(a).unwrap().to, Some(a));
    assert!(matches!(test.roll_back("site"), Err(RollbackError::NothingBefore { current, .. }) if current == a));
    assert_eq!(to(c).unwrap().to, Some(c));
    assert_eq!(test.roll_back("site").unwrap(), a);
    let preview = test.preview("site", "preview", None).record.id;
    assert_eq!(to(preview).unwrap().to, Some(preview));
    assert_eq!(test.roll_back("site").unwrap(), a);
    let before = test.log_length("site");
    let stayed = to(a).unwrap();
    assert_eq!((stayed.from, stayed.to, test.log_length("site")), (Some(a), Some(a), before), "already there");
    let foreign = test.preview("other", "foreign", None).record.id;
    for unknown in [foreign, id_of("site", "never")] {
        let error = to(unknown).unwrap_err();
        assert_eq!(error.to_string(), format!("project `site` has no deployment {unknown}"));
    }
    test.deployments().remove(&b, test.now).unwrap();
    assert!(to(b).is_err());
}

/// Removed deployments are skipped, and forced publishes of the same one are one step.
#[test]
fn rolling_back_over_gaps() {
    let test = TestStore::new();
    let [a, b, c] = ["a", "b", "c"].map(|content| test.to_production("site", content));
    let forced = PublishOptions { republish: Republish::Always, ..test.options(Target::Production, None) };
    test.deployments().republish(&c, forced).unwrap();
    test.deployments().remove(&b, test.now).unwrap();
    assert_eq!(test.roll_back("site").unwrap(), a);
}

/// Promoting what is production already changes nothing; what does not exist is refused.
#[test]
fn promoting() {
    let test = TestStore::new();
    let a = test.to_production("site", "a");
    let b = test.preview("site", "b", None).record.id;
    let moved = test.deployments().promote(&project("site"), &b, test.now).unwrap();
    assert_eq!((moved.from, moved.to, moved.version, moved.cause), (Some(a), Some(b), 2, MoveCause::Promote));
    let stayed = test.deployments().promote(&project("site"), &b, test.now).unwrap();
    assert_eq!((stayed.from, stayed.to, stayed.version, test.log_length("site")), (Some(b), Some(b), 2, 2));
    let error = test.deployments().promote(&project("other"), &b, test.now).unwrap_err();
    assert!(matches!(error, PublishError::UnknownDeployment { .. }), "{error}");
}

/// Production is moved from where it was seen, forward and back, and from nowhere else.
#[test]
fn moved_from_where_it_was_seen() {
    let test = TestStore::new();
    let [one, two, three] = ["one", "two", "three"].map(|content| test.preview("site", content, None).record.id);
    let site = project("site");
    let deployments = test.deployments();
    let from = |seen| deployments.expecting(Some(seen));
    assert_eq!(from(one).promote(&site, &two, test.now).unwrap().to, Some(two));
    let late = from(one).promote(&site, &three, test.now).unwrap_err();
    assert!(matches!(late, PublishError::ProductionMoved { current: Some(current), .. } if current == two), "{late}");
    let late = from(three).rollback(&site, None, test.now).unwrap_err();
    assert!(matches!(late, RollbackError::Publish(PublishError::ProductionMoved { .. })), "{late}");
    assert_eq!(from(two).rollback(&site, None, test.now).unwrap().to, Some(one));
}

/// Production is not removed. A removed deployment is gone with its labels; its branch falls back to the deployment
/// before it, and is gone with the last one. Published again, it is back.
#[test]
fn removing() {
    let test = TestStore::new();
    let production = test.to_production("site", "production");
    let [a, b] = ["a", "b"].map(|content| test.preview("site", content, Some("main")).record);
    let error = test.deployments().remove(&production, test.now).unwrap_err();
    assert_eq!(error.to_string(), format!("deployment {production} is the production of project `site`"));
    let removed = test.deployments().remove(&b.id, test.now).unwrap();
    let ends: Vec<_> = removed.moves.iter().map(|moved| (moved.label.to_string(), moved.to)).collect();
    assert_eq!(ends, [("site-git-main".to_owned(), Some(a.id)), (b.own_label.to_string(), None)]);
    assert_eq!(removed.record, b);
    assert_eq!(test.deployments().get(&b.id).unwrap(), None);
    assert!(matches!(test.deployments().remove(&b.id, test.now), Err(RemoveError::UnknownDeployment { .. })));
    test.deployments().remove(&a.id, test.now).unwrap();
    assert_eq!(test.deployments().alias(&label("site-git-main")).unwrap(), None);
    let back = test.preview("site", "b", Some("main"));
    let versions: Vec<_> = back.moves.iter().map(|moved| moved.version).collect();
    assert_eq!(versions, [3, 5], "versions go on where they left off");
}

/// A removed project is gone with everything but its log, and its name is free.
#[test]
fn removing_a_project() {
    let test = TestStore::new();
    let a = test.preview("site", "a", Some("main")).record.id;
    let b = test.preview("site", "b", Some("main")).record.id;
    let other = test.preview("other", "c", None);
    let domains = test.store().domains();
    domains.claim(&"a.example".parse().unwrap(), &project("site"), None, "proof", test.now).unwrap();
    assert_eq!(test.deployments().remove_project(&project("site"), test.now).unwrap(), [a, b]);
    assert_eq!(test.deployments().aliases_of(&project("site")).unwrap(), []);
    assert_eq!(domains.list(None).unwrap(), []);
    let left: Vec<_> = test.deployments().projects().unwrap().into_iter().map(|project| project.name).collect();
    assert_eq!(left, [project("other")]);
    assert_eq!(test.pointers().len(), 2);
    assert_eq!(test.log_length("site"), 2);
    let error = test.deployments().remove_project(&project("site"), test.now).unwrap_err();
    assert_eq!(error.to_string(), "there is no project `site`");
    assert!(test.preview("site", "a", None).first_of_project);
    assert!(matches!(test.roll_back("site"), Err(RollbackError::NothingBefore { .. })));
    assert_eq!(test.deployments().get(&other.record.id).unwrap(), Some(other.record));
}

/// A clock that jumps by days and by years changes nothing: production goes back in the order in which it was moved, also after
/// the state was opened anew.
#[test]
fn clock_jumps() {
    const DAY: i64 = 24 * 60 * 60;
    let mut test = TestStore::new();
    let begun = test.now.as_second();
    let mut published = Vec::new();
    for (content, jump) in [("a", 0), ("b", 5 * 365), ("c", -5 * 365), ("d", 1), ("e", -1)] {
        test.now = Timestamp::from_second(begun + jump * DAY).unwrap();
        published.push(test.to_production("site", content));
        test.reopen();
    }
    let listed: Vec<DeploymentId> =
        test.deployments().list(None, 10).unwrap().into_iter().map(|summary| summary.record.id).collect();
    assert_eq!(listed, published.iter().rev().copied().collect::<Vec<_>>());
    for (earlier, jump) in published[..4].iter().rev().zip([-7, 3000, -3000, 0]) {
        test.now = Timestamp::from_second(begun + jump * DAY).unwrap();
        assert_eq!(test.roll_back("site").unwrap(), *earlier);
    }
    assert!(matches!(test.roll_back("site"), Err(RollbackError::NothingBefore { .. })));
}
