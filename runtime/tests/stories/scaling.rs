//! How many instances there are, and when they stop.

use std::sync::Arc;

use ship_core::PlatformError;
use ship_runtime::{InstanceState, InvokeError, MemoryReading};

use crate::support::{Stage, StoppedClock, identity, is_running, outside, until};

/// A thousand visitors at once on a sleeping function are all answered, by no more instances than allowed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousand_at_once() {
    for (concurrency, max_instances) in [(50, 10), (1, 2), (100, 1)] {
        let stage = Stage::new();
        let spec = stage.function_with(|limits| {
            limits.concurrency = concurrency;
            limits.max_instances = max_instances;
        });
        let answers = futures_util::future::join_all((0..1_000).map(|_| stage.get(&spec, "/ok"))).await;
        assert!(answers.iter().all(|answer| answer.as_deref().is_ok_and(|text| text == "ok")), "{answers:?}");
        let booted = stage.logs.messages().iter().filter(|message| *message == "booted").count();
        let most = usize::try_from(max_instances).unwrap();
        assert!((1..=most).contains(&booted), "{booted} instances for {concurrency} x {max_instances}");
        stage.runtime.shutdown().await;
    }
}

/// One request on a sleeping function starts one instance, whatever may be started.
#[tokio::test]
async fn one_for_one() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    let answers = futures_util::future::join_all((0..50).map(|_| stage.get(&spec, "/ok"))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(stage.runtime.instances().len(), 1);
}

/// An instance gets no more requests at once than it may; the next ones start another, and beyond that they wait.
#[tokio::test]
async fn concurrency() {
    let stage = Arc::new(Stage::new());
    let spec = stage.function_with(|limits| {
        limits.concurrency = 2;
        limits.max_instances = 2;
    });
    let mut bodies = Vec::new();
    for _ in 0..4 {
        bodies.push(stage.open(&spec, "/hang/mid-body").await.unwrap().into_body());
    }
    let in_flight: Vec<u32> = stage.runtime.instances().iter().map(|instance| instance.in_flight).collect();
    assert_eq!(in_flight, [2, 2]);
    let waiting = {
        let (stage, spec) = (Arc::clone(&stage), Arc::clone(&spec));
        tokio::spawn(async move { stage.get(&spec, "/ok").await })
    };
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    bodies.pop();
    assert_eq!(waiting.await.unwrap().unwrap(), "ok");
}

/// When the queue is full, the next visitor is asked to come back later; a visitor who leaves the queue makes room, and the
/// others keep their places.
#[tokio::test]
async fn full_queue() {
    let stage = Stage::new();
    let spec = stage.function_with(|limits| {
        limits.concurrency = 1;
        limits.max_instances = 1;
    });
    let body = stage.open(&spec, "/hang/mid-body").await.unwrap().into_body();
    let mut waiting: Vec<_> = (0..1025).map(|_| Box::pin(stage.get(&spec, "/ok"))).collect();
    for request in &mut waiting {
        assert!(futures_util::poll!(request).is_pending());
    }
    let error = stage.get(&spec, "/ok").await.unwrap_err();
    assert_eq!(error.platform_error(), PlatformError::FunctionThrottled);
    assert!(matches!(error, InvokeError::Throttled { retry_after_secs: 1..=60 }), "{error:?}");
    waiting.drain(..1000);
    drop(body);
    let answers = futures_util::future::join_all(waiting).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

/// Who waits too long in the queue is asked to come back later.
#[tokio::test]
async fn long_wait() {
    let clock = StoppedClock::new();
    let stage = Stage::new();
    let spec = stage.function_with(|limits| {
        limits.concurrency = 1;
        limits.max_instances = 1;
    });
    let _body = stage.open(&spec, "/hang/mid-body").await.unwrap().into_body();
    let (answer, ()) = tokio::join!(stage.get(&spec, "/ok"), clock.advance(70));
    assert!(matches!(answer, Err(InvokeError::Throttled { .. })), "{answer:?}");
}

/// An instance without requests is stopped when its idle time is over, and then nothing is left of it.
#[tokio::test]
async fn idle_stop() {
    let clock = StoppedClock::new();
    let stage = Stage::new();
    let spec = stage.function_with(|limits| limits.idle_secs = 10);
    stage.get(&spec, "/ok").await.unwrap();
    let pid = stage.instance().pid;
    clock.advance(9).await;
    stage.get(&spec, "/ok").await.unwrap();
    clock.advance(9).await;
    tokio::task::yield_now().await;
    assert_eq!(stage.instance().state, InstanceState::Ready);
    clock.advance(1).await;
    stage.until_instances(0).await;
    assert!(!is_running(pid));
    assert_eq!(stage.get(&spec, "/ok").await.unwrap(), "ok");
}

/// A request that comes while an instance is being stopped is answered, by another instance.
#[tokio::test]
async fn request_during_idle_stop() {
    let clock = StoppedClock::new();
    let stage = Stage::new();
    let mut spec = stage.function();
    spec.env = vec![("IGNORE_SIGTERM".to_owned(), "1".to_owned())].into();
    spec.function.limits.idle_secs = 10;
    spec.function.limits.max_instances = 1;
    let spec = Arc::new(spec);
    let first = stage.get(&spec, "/pid").await.unwrap();
    let first_pid = outside(&first);
    clock.advance(10).await;
    // It takes its time to stop, since it ignores the signal.
    until(|| stage.instance().state == InstanceState::Stopping).await;
    assert_ne!(stage.get(&spec, "/pid").await.unwrap(), first);
    clock.advance(5).await;
    stage.until_instances(1).await;
    assert!(!is_running(first_pid));
}

/// A request at the very moment when the idle time ends is answered, whichever comes first.
#[tokio::test]
async fn request_at_the_end_of_the_idle_time() {
    let clock = StoppedClock::new();
    let stage = Stage::new();
    let spec = stage.function_with(|limits| limits.idle_secs = 10);
    stage.get(&spec, "/ok").await.unwrap();
    for _ in 0..20 {
        let (answer, ()) = tokio::join!(stage.get(&spec, "/ok"), clock.advance(10));
        answer.unwrap();
        let ((), answer) = tokio::join!(clock.advance(10), stage.get(&spec, "/ok"));
        answer.unwrap();
    }
}

/// Instances that are to be kept are started although nobody asks, stay, come back after a crash, and fall asleep when they are
/// not to be kept any more.
#[tokio::test]
async fn kept_instances() {
    let clock = StoppedClock::new();
    let stage = Stage::new();
    let spec = stage.function_with(|limits| limits.idle_secs = 10);
    stage.runtime.keep(&spec, 2);
    stage.logs.until_said_times("booted", 2).await;
    clock.advance(1).await;
    until(|| stage.runtime.instances().iter().all(|instance| instance.state == InstanceState::Ready)).await;
    clock.advance(1000).await;
    stage.get(&spec, "/ok").await.unwrap();
    assert_eq!(stage.runtime.instances().len(), 2);
    stage.get(&spec, "/exit").await.unwrap_err();
    stage.logs.until_said_times("booted", 3).await;
    stage.until_instances(2).await;
    clock.advance(1).await;
    until(|| stage.runtime.instances().iter().all(|instance| instance.state == InstanceState::Ready)).await;
    stage.runtime.let_sleep(&spec.deployment, &spec.function.name);
    clock.advance(10).await;
    stage.until_instances(0).await;
    assert_eq!(stage.get(&spec, "/ok").await.unwrap(), "ok");
    stage.until_instances(1).await;
}

/// A limit on what is kept is the host's to act upon: a deployment that nobody keeps wakes with what its requests need.
#[tokio::test]
async fn kept_by_the_host() {
    let stage = Stage::new();
    let spec = stage.function_with(|limits| limits.min_instances = 3);
    stage.runtime.let_sleep(&spec.deployment, &spec.function.name);
    stage.get(&spec, "/ok").await.unwrap();
    assert_eq!(stage.runtime.instances().len(), 1);
}

/// A further instance is started before the first is full, and so before anybody waits for it.
#[tokio::test]
async fn before_saturation() {
    let stage = Stage::new();
    let spec = stage.function_with(|limits| {
        limits.concurrency = 4;
        limits.target_utilization_percent = 50;
    });
    let mut bodies = Vec::new();
    for instances in [1, 1, 2, 2, 3] {
        bodies.push(stage.open(&spec, "/hang/mid-body").await.unwrap().into_body());
        stage.until_instances(instances).await;
    }
    let in_flight: Vec<u32> = stage.runtime.instances().iter().map(|instance| instance.in_flight).collect();
    assert_eq!(in_flight.iter().sum::<u32>(), 5, "{in_flight:?}");
}

/// When the machine's memory runs short, idle instances go, the one first that nobody has asked for the longest, whichever
/// function it is of; what is being answered goes on, and who comes later is answered.
#[tokio::test]
async fn memory_pressure() {
    let clock = StoppedClock::new();
    let stage = Stage::new();
    let [older, newer, busy] = ["api/older", "api/newer", "api/busy"].map(|name| {
        let mut spec = stage.function();
        spec.function.name = name.parse().unwrap();
        Arc::new(spec)
    });
    let body = stage.open(&busy, "/hang/mid-body").await.unwrap();
    for spec in [&older, &newer] {
        stage.get(spec, "/ok").await.unwrap();
        clock.advance(1).await;
    }
    let reading = |available_bytes| MemoryReading { total_bytes: 100 << 20, available_bytes, stalled_percent: None };
    assert_eq!(stage.runtime.relieve(&reading(50 << 20)), 0);
    assert_eq!(stage.runtime.relieve(&reading(8 << 20)), 1);
    stage.until_instances(2).await;
    let left: Vec<_> = stage.runtime.instances().into_iter().map(|instance| instance.function).collect();
    assert!(!left.contains(&older.function.name), "{left:?}");
    assert_eq!(stage.runtime.relieve(&reading(1 << 20)), 1);
    stage.until_instances(1).await;
    assert_eq!(stage.instance().function, busy.function.name);
    drop(body);
    assert_eq!(stage.get(&older, "/ok").await.unwrap(), "ok");
}

/// After a burst, what falls idle is stopped youngest first, and the oldest goes on serving.
#[tokio::test]
async fn after_a_burst() {
    let clock = StoppedClock::new();
    let stage = Stage::new();
    let spec = stage.function_with(|limits| {
        limits.concurrency = 1;
        limits.idle_secs = 10;
    });
    let mut bodies = Vec::new();
    for _ in 0..3 {
        bodies.push(stage.open(&spec, "/hang/mid-body").await.unwrap());
    }
    let oldest = stage.runtime.instances()[0].pid;
    drop(bodies);
    clock.advance(9).await;
    assert_eq!(stage.get(&spec, "/pid").await.unwrap(), identity(oldest));
    clock.advance(1).await;
    stage.until_instances(1).await;
    assert_eq!(stage.instance().pid, oldest);
}
