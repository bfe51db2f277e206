//! Groups of batches: what all of a group may use, whose turn it is to give when memory is short, and who is left alone.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod batch_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use batch_support::{Calls, config, eventually, open, open_with};
use raybatch::batch::{BatchKey, BatchSpec, Client, GroupLimit, GroupStatus};
use raybatch::error::ErrorCode;
use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{Budget, Found, Kind, Slot};

const MIB: u64 = 1 << 20;

fn start(client: &Client, group: &str) -> BatchKey {
    start_with(client, group, BatchSpec::default())
}

fn start_with(client: &Client, group: &str, spec: BatchSpec) -> BatchKey {
    client.start_batch(BatchSpec { group: Some(group.to_owned()), ..spec }, "test").unwrap()
}

fn refused(client: &Client, spec: BatchSpec) -> raybatch::error::Error {
    client.start_batch(spec, "test").unwrap_err()
}

fn seen(client: &Client, path: &str) -> GroupStatus {
    client.group(path).unwrap()
}

/// 100,000 bytes: a run of 25 pages.
fn filled(n: u64) -> Vec<u8> {
    (0..100_000u64).map(|at| (n * 31 + at / 64) as u8).collect()
}

const RUN: u64 = 25 * 4096;

#[test]
fn c40_a_put_over_a_limit_names_the_whole_chain_and_changes_nothing() {
    let client = open();
    client.open_group("user-a/job-7").unwrap();
    client.limit_group("user-a", GroupLimit::Bytes(Some(1000))).unwrap();
    client.limit_group("user-a/job-7", GroupLimit::Objects(Some(3))).unwrap();
    let named = |name: &str| BatchSpec { name: Some(name.to_owned()), max_bytes: Some(500), ..BatchSpec::default() };
    let outer = start_with(&client, "user-a/job-7", named("outer"));
    let inner = client.start_in(outer);
    let other = start(&client, "user-a");
    client.put_bytes(inner, &[1; 400]);
    let before = (client.seen(inner).bytes, seen(&client, "user-a"), seen(&client, "user-a/job-7"));

    let e = client.try_put(inner, &[2; 101]).unwrap_err();
    assert_eq!((e.code(), e.batch_id(), e.figures()), (ErrorCode::BatchLimit, Some(outer.id), &[500, 400, 101][..]));
    let e = client.try_put(other, &[2; 601]).unwrap_err();
    assert_eq!((e.code(), e.batch_id(), e.figures()), (ErrorCode::BatchLimit, Some(other.id), &[1000, 400, 601][..]));
    assert!(e.message().starts_with("group 'user-a' is at its limit"), "{e}");
    assert_eq!(before, (client.seen(inner).bytes, seen(&client, "user-a"), seen(&client, "user-a/job-7")));

    client.put_bytes(inner, &[]);
    client.put_bytes(outer, &[]);
    let e = client.try_put(inner, &[3; 10]).unwrap_err();
    assert_eq!(e.figures(), [3, 3, 1]);
    let chain: Vec<_> = e.message().lines().skip(1).map(str::trim_start).collect();
    let label = |key: BatchKey| format!("batch {}", key.id);
    assert_eq!(
        chain,
        [
            "group 'user-a': 400 of 1000 bytes, 3 objects",
            "group 'user-a/job-7': 400 bytes, 3 of 3 objects",
            &format!("{} 'outer': 400 of 500 bytes, 3 objects", label(outer)),
            &format!("{}: 400 bytes, 2 objects", label(inner)),
        ]
    );
    let group = seen(&client, "user-a");
    assert_eq!((group.bytes, group.objects, group.batches), (400, 3, 3));
    client.end(outer);
    client.end(other);
    let group = seen(&client, "user-a");
    assert_eq!((group.bytes, group.objects, group.batches, group.held), (0, 0, 0, 0));
    client.audit().unwrap();
}

#[test]
fn a_limit_can_be_changed_while_its_group_works() {
    let client = open();
    client.open_group("g").unwrap();
    let b = start(&client, "g");
    let id = client.put_bytes(b, &[1; 100]);
    client.limit_group("g", GroupLimit::Bytes(Some(50))).unwrap();
    client.assert_has(&id, &[1; 100]);
    assert_eq!(client.try_put(b, &[1]).unwrap_err().figures(), [50, 100, 1]);
    client.limit_group("g", GroupLimit::Bytes(Some(101))).unwrap();
    client.put_bytes(b, &[1]);
    assert_eq!(client.try_put(b, &[1]).unwrap_err().figures(), [101, 101, 1]);
    client.limit_group("g", GroupLimit::Bytes(None)).unwrap();
    client.put_bytes(b, &[1; 1000]);
    assert_eq!(seen(&client, "g").max_bytes, None);
    client.delete(&[id]).unwrap();
    assert_eq!((seen(&client, "g").bytes, seen(&client, "g").objects), (1001, 2));
}

#[test]
fn of_those_who_race_for_the_last_room_of_a_group_as_many_win_as_fit() {
    const THREADS: u64 = 4;
    for _ in 0..20 {
        let client = open();
        client.open_group("g/h").unwrap();
        client.limit_group("g", GroupLimit::Objects(Some(50))).unwrap();
        let won = AtomicU64::new(0);
        std::thread::scope(|s| {
            for _ in 0..THREADS {
                s.spawn(|| {
                    let b = start(&client, "g/h");
                    for n in 0..50u64 {
                        match client.try_put(b, &n.to_le_bytes()) {
                            Ok(_) => _ = won.fetch_add(1, Ordering::Relaxed),
                            Err(e) => assert_eq!(e.code(), ErrorCode::BatchLimit),
                        }
                    }
                });
            }
        });
        assert_eq!((won.into_inner(), seen(&client, "g").objects), (50, 50));
    }
}

#[test]
fn a_batch_above_its_groups_priority_is_refused() {
    let client = open();
    client.open_group("g/h").unwrap();
    client.limit_group("g", GroupLimit::Priority(Some(-3))).unwrap();
    client.limit_group("g/h", GroupLimit::Priority(Some(7))).unwrap();
    let spec = |priority| BatchSpec { priority, group: Some("g/h".to_owned()), ..BatchSpec::default() };
    let e = refused(&client, spec(-2));
    assert_eq!((e.code(), e.figures()), (ErrorCode::BatchLimit, &[-3, -3, -2][..]));
    assert!(e.message().ends_with("group 'g': at most -3\n    group 'g/h': at most 7"), "{e}");
    assert_eq!(seen(&client, "g").batches, 0, "it is not in the group");
    let outer = client.start_batch(spec(-3), "test").unwrap();
    let inner = BatchSpec { parent: Some(outer), priority: 0, ..BatchSpec::default() };
    assert_eq!(refused(&client, inner.clone()).code(), ErrorCode::BatchLimit, "it is in the group as well");
    client.limit_group("g", GroupLimit::Priority(None)).unwrap();
    client.start_batch(inner, "test").unwrap();
}

#[test]
fn a_batch_within_another_is_in_the_same_group() {
    let client = open();
    client.open_group("a/x").unwrap();
    client.open_group("b").unwrap();
    let outer = start(&client, "a");
    let inner = client.start_in(outer);
    assert_eq!(client.seen(inner).group.as_deref(), Some("a"));
    let free = client.start();
    assert_eq!(client.seen(free).group, None);
    let within =
        |parent, group: &str| BatchSpec { parent: Some(parent), group: Some(group.into()), ..BatchSpec::default() };
    client.start_batch(within(inner, "a"), "test").unwrap();
    for (parent, group, says) in
        [(outer, "b", "is in group 'a'"), (inner, "a/x", "'a/x'"), (free, "a", "is in no group")]
    {
        let e = refused(&client, within(parent, group));
        assert_eq!(e.code(), ErrorCode::InvalidArgument);
        assert!(e.message().contains(says), "{e}");
    }
    let e = refused(&client, BatchSpec { group: Some("c".into()), ..BatchSpec::default() });
    assert_eq!(e.code(), ErrorCode::GroupNotFound);
    client.end(outer);
    assert_eq!(client.seen(outer).group.as_deref(), Some("a"), "as it is remembered");
}

#[test]
fn a_group_is_made_once_and_stays_until_nothing_is_in_it_and_it_is_removed() {
    let client = open();
    let other = Client::connect(client.store_name()).unwrap();
    client.open_group("a/b").unwrap();
    client.open_group("a-b").unwrap();
    client.limit_group("a", GroupLimit::Tasks(Some(0))).unwrap();
    other.open_group("a").unwrap();
    assert_eq!(seen(&other, "a").max_tasks, Some(0), "the clients of a store share its groups");
    let paths = |client: &Client| client.groups().unwrap().iter().map(|g| g.path.to_string()).collect::<Vec<_>>();
    assert_eq!(paths(&client), ["a", "a-b", "a/b"]);

    let code = |path: &str| client.remove_group(path).unwrap_err().code();
    assert_eq!((code("a"), code("c")), (ErrorCode::GroupActive, ErrorCode::GroupNotFound));
    let b = start_with(&other, "a/b", BatchSpec { no_cleanup: true, ..BatchSpec::default() });
    assert_eq!(code("a/b"), ErrorCode::GroupActive);
    other.close_batch(b, "test").unwrap();
    assert_eq!(code("a/b"), ErrorCode::GroupActive, "it is not collected");
    other.gc(b).unwrap();
    client.remove_group("a/b").unwrap();
    client.remove_group("a").unwrap();
    assert_eq!(paths(&client), ["a-b"]);
    for path in ["", "/", "a/", "/a", "a//b", &"x".repeat(65), "1/2/3/4/5/6/7/8/9"] {
        assert_eq!(client.open_group(path).unwrap_err().code(), ErrorCode::InvalidArgument, "{path}");
    }
    client.open_group(&format!("1/2/3/4/5/6/7/{}", "x".repeat(64))).unwrap();
}

#[test]
fn what_a_batch_keeps_counts_to_the_group_of_whoever_has_it() {
    let client = open();
    client.open_group("g").unwrap();
    let outer = start(&client, "g");
    let inner = client.start_in(outer);
    let (small, large, lost) =
        (client.put_bytes(inner, &[1; 100]), client.put_bytes(inner, &filled(2)), client.put_bytes(inner, &[3; 50]));
    client.end_keeping(inner, &[small, large]);
    let group = seen(&client, "g");
    assert_eq!((group.bytes, group.objects), (100_100, 2), "the same ones, elsewhere");
    assert_eq!(group.held, 104 + 100_000, "what it keeps counts as it is");
    assert_eq!(client.code_of(&lost), ErrorCode::ObjectCollected);
    let other = client.start();
    client.transfer(&[large], None, Some(other)).unwrap();
    let group = seen(&client, "g");
    assert_eq!((group.bytes, group.objects, group.held), (100, 1, 104));
    client.transfer(&[large], None, Some(outer)).unwrap();
    assert_eq!(seen(&client, "g").held, 104 + 100_000);
    client.delete(&[large]).unwrap();
    client.end_keeping(outer, &[small]);
    let group = seen(&client, "g");
    assert_eq!((group.bytes, group.objects, group.held), (0, 0, 0), "the root is in no group");
    client.assert_has(&small, &[1; 100]);

    // to a group that has no room for it
    client.limit_group("g", GroupLimit::Bytes(Some(99))).unwrap();
    let full = start(&client, "g");
    let e = client.transfer(&[small], None, Some(full)).unwrap_err();
    assert_eq!((e.code(), e.figures()), (ErrorCode::BatchLimit, &[99, 0, 100][..]));
    // within one that has none left it stays where it counts
    client.limit_group("g", GroupLimit::Bytes(None)).unwrap();
    let id = client.put_bytes(full, &[4; 10]);
    client.limit_group("g", GroupLimit::Bytes(Some(5))).unwrap();
    let beside = start(&client, "g");
    client.transfer(&[id], None, Some(beside)).unwrap();
    assert_eq!(seen(&client, "g").bytes, 10);
    client.end(full);
    client.end(beside);
    client.audit().unwrap();
}

/// Puts until there is no room; how often.
fn fill(client: &Client, key: BatchKey) -> u64 {
    let mut n = 0;
    loop {
        match client.try_put(key, &filled(n)) {
            Ok(_) => n += 1,
            Err(e) => {
                assert_eq!(e.code(), ErrorCode::StoreFull, "{e}");
                return n;
            }
        }
    }
}

#[test]
fn one_group_alone_has_the_whole_store() {
    let client = open();
    let plain = client.start();
    let all = fill(&client, plain);
    client.end(plain);
    client.open_group("g/h").unwrap();
    client.open_group("idle").unwrap();
    let b = start(&client, "g/h");
    assert_eq!(seen(&client, "g").share, 16 * MIB);
    assert_eq!(fill(&client, b), all);
    assert_eq!(seen(&client, "g").held, all * RUN + client.seen(b).held - all * RUN);
    client.end(b);
}

#[test]
fn c40_without_files_a_greedy_group_is_refused_what_is_left_for_others() {
    let client = open();
    client.open_group("user-a/greedy").unwrap();
    client.open_group("user-b").unwrap();
    let modest = start(&client, "user-b");
    let mut mine = Vec::new();
    for round in 0..20 {
        let greedy = start(&client, "user-a/greedy");
        let made = fill(&client, greedy);
        let group = seen(&client, "user-a");
        assert!(made * RUN > 8 * MIB && group.held <= 16 * MIB * 8 / 10, "up to the mark: {group:?}");
        let e = client.try_put(greedy, &filled(0)).unwrap_err();
        assert!(
            e.message().contains("group 'user-a' holds") && e.message().contains("its fair share is 8388608"),
            "{e}"
        );
        assert_eq!((e.batch_id(), e.figures().len()), (Some(greedy.id), 3));
        for n in 0..1 + round % 3 {
            mine.push((client.put_bytes(modest, &filled(n)), n));
        }
        client.end(greedy);
    }
    let group = seen(&client, "user-b");
    assert_eq!((group.refused, group.objects), (0, mine.len() as u64));
    assert_eq!(seen(&client, "user-a").refused, 40, "one ended each filling, and one more was tried");
    for (id, n) in &mine {
        client.assert_has(id, &filled(*n));
    }
    client.end(modest);
    client.audit().unwrap();
}

#[test]
fn within_a_group_its_share_is_divided_again() {
    let client = open();
    for path in ["a/x", "a/y", "b"] {
        client.open_group(path).unwrap();
    }
    let (x, y, own, b) = (start(&client, "a/x"), start(&client, "a/y"), start(&client, "a"), start(&client, "b"));
    let share = |path: &str| seen(&client, path).share;
    assert_eq!((share("a"), share("b"), share("a/x"), share("a/y")), (8 * MIB, 8 * MIB, 4 * MIB, 4 * MIB));
    client.put_bytes(own, &[1]);
    assert_eq!((share("a"), share("a/x")), (8 * MIB, 8 * MIB / 3), "its own batches are one more");
    let mine = client.start();
    client.put_bytes(mine, &[1]);
    assert_eq!(share("b"), 16 * MIB / 3, "so is what is in no group");
    fill(&client, x);
    let e = client.try_put(own, &vec![0; 5 * MIB as usize]).unwrap_err();
    assert!(e.message().contains("group 'a' holds"), "the outermost first: {e}");
    client.put_bytes(b, &filled(1));
    client.put_bytes(mine, &filled(1));
    assert_eq!(
        client.try_put(y, &filled(1)).unwrap_err().code(),
        ErrorCode::StoreFull,
        "user a has had more than enough"
    );
    client.end(x);
    client.put_bytes(y, &filled(1));
}

#[test]
fn c18_who_is_above_their_share_does_not_evict_what_is_below() {
    let client = open();
    client.open_group("greedy").unwrap();
    client.open_group("modest").unwrap();
    let cached: Vec<_> = (0..20).map(|n| normal(&client, n)).collect();
    let (greedy, modest) = (start(&client, "greedy"), start(&client, "modest"));
    fill(&client, greedy);
    assert!(cached.iter().all(|id| client.bytes(id).unwrap().is_some()), "2 MB are less than a third");
    // what is left goes to those below their share, and then what may be evicted
    while client.stats().unwrap().store.evicted_objects == 0 {
        client.put_bytes(modest, &filled(1));
    }
    assert_eq!((seen(&client, "modest").refused, client.bytes(&cached[0]).unwrap()), (0, None));
    client.end(greedy);
    client.end(modest);

    // but it does what is above its own
    let (greedy, modest) = (start(&client, "greedy"), start(&client, "modest"));
    client.put_bytes(modest, &[1]);
    for n in 0..150 {
        normal(&client, n);
    }
    let made = fill(&client, greedy);
    assert!(made * RUN > 16 * MIB / 3, "{made}");
    client.audit().unwrap();
}

fn normal(client: &Client, n: u64) -> ObjectId {
    let slot = client.put(BatchKey::NORMAL, Kind::Bytes, &&filled(n)[..]).unwrap();
    ObjectId::from_slot(BatchId::NORMAL, client.normal_base(), slot.slot, slot.index)
}

/// A store of 16 MiB that spills.
fn spilling(more: &[(&str, &str)]) -> (Arc<Client>, tempfile::TempDir) {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().to_str().unwrap().to_owned();
    let mut pairs = vec![("store.size", "16777216"), ("spill.directory", &*directory)];
    pairs.extend_from_slice(more);
    (Client::open(&config(&pairs)).unwrap(), parent)
}

/// Puts as Java does where it finds no room: it asks for some, and tries again. How often it found none.
fn put_waiting(client: &Client, key: BatchKey, bytes: &[u8], token: u64) -> (ObjectId, u64) {
    let mut waits = 0;
    loop {
        match client.try_put(key, bytes) {
            Ok(id) => return (id, waits),
            Err(e) => assert_eq!(e.code(), ErrorCode::StoreFull, "{e}"),
        }
        waits += 1;
        client.ask_for_room(token).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn c40_with_files_a_greedy_group_is_spilled_and_a_modest_one_stays_in_memory() {
    // whichever comes first in the alphabet, and in the order of starts
    for (user, first) in [("user-a", false), ("user-c", true)] {
        let (client, _files) = spilling(&[]);
        client.open_group("user-b").unwrap();
        let path = format!("{user}/greedy");
        client.open_group(&path).unwrap();
        let greedy = || start_with(&client, &path, BatchSpec { priority: 9, ..BatchSpec::default() });
        let (greedy, modest) = if first {
            let greedy = greedy();
            (greedy, start(&client, "user-b"))
        } else {
            let modest = start(&client, "user-b");
            (greedy(), modest)
        };
        let mut mine: Vec<_> = (0..15).map(|n| (client.put_bytes(modest, &filled(n)), n)).collect();
        // ten times what there is
        let mut theirs = Vec::new();
        for n in 0..1600 {
            theirs.push(put_waiting(&client, greedy, &filled(n), 1).0);
            if n % 100 == 0 {
                mine.push((client.put_bytes(modest, &filled(n)), n)); // refused never
            }
        }
        assert!(client.seen(greedy).spilled > 100 * MIB);
        let group = seen(&client, "user-b");
        assert_eq!((client.seen(modest).spilled, group.refused, group.objects), (0, 0, 31));
        for (id, n) in &mine {
            client.assert_has(id, &filled(*n));
        }
        assert_eq!(client.store().spill_stats().served, 0, "they are read from memory");
        for (n, id) in theirs.iter().enumerate() {
            client.assert_has(id, &filled(n as u64));
        }
        client.end(greedy);
        client.end(modest);
        client.audit().unwrap();
    }
}

#[test]
fn whoever_is_furthest_above_their_share_is_spilled_first_whatever_their_priority() {
    let (client, _files) = spilling(&[("spill.highWater", "90")]);
    for path in ["a", "b/x", "b/y"] {
        client.open_group(path).unwrap();
    }
    let priority = |priority| BatchSpec { priority, ..BatchSpec::default() };
    let rest = client.start_batch(priority(-9), "test").unwrap();
    let a = start_with(&client, "a", priority(-9));
    let (x, y) = (start_with(&client, "b/x", priority(7)), start_with(&client, "b/y", priority(-9)));
    let (high, low) = (start_with(&client, "b/x", priority(8)), x);
    let put = |key: BatchKey, times: u64| (0..times).for_each(|n| _ = client.put_bytes(key, &filled(n)));
    put(rest, 30); // of 16 MiB, a third is 54 of these
    put(a, 30);
    put(y, 14);
    put(high, 26);
    put(low, 26);
    let spilled = |key: BatchKey| client.seen(key).spilled;
    assert_eq!([rest, a, y, high, low].map(spilled), [0; 5], "13 MB of 16 are no reason");
    // b is above its third with 66, and x above its half of that: of its batches the one with the lower priority goes
    put(a, (16 * MIB * 9 / 10 - client.store().used()) / RUN + 1);
    eventually("a batch is spilled", || client.store().used() < 16 * MIB * 8 / 10);
    assert!(spilled(low) > 0);
    assert_eq!([rest, a, y, high].map(spilled), [0; 4]);
}

/// Waits for room through rounds in vain, until it would be told so.
fn wait_in_vain(client: &Client) {
    let first = client.ask_for_room(7).unwrap().unwrap();
    eventually("two rounds made no room", || client.ask_for_room(7).unwrap().unwrap() >= first + 2);
    client.forget_room(7);
}

#[test]
fn where_the_greedy_hold_on_nobody_else_is_spilled_for_them() {
    let (client, _files) = spilling(&[]);
    client.open_group("greedy").unwrap();
    client.open_group("modest").unwrap();
    let modest = start(&client, "modest");
    let greedy = start_with(&client, "greedy", BatchSpec { latency_sensitive: true, ..BatchSpec::default() });
    for n in 0..20 {
        client.put_bytes(modest, &filled(n));
    }
    fill(&client, greedy);
    wait_in_vain(&client);
    assert_eq!(client.seen(modest).spilled, 0);
    // for itself it is
    for n in 0..100 {
        put_waiting(&client, modest, &filled(n), 8);
    }
    assert!(client.seen(modest).spilled > 0 && client.seen(greedy).spilled == 0);
    client.end(greedy);
    client.end(modest);
    client.audit().unwrap();
}

/// A sub-group above its share of a group that is below its own had its neighbour spilled, which could not help it.
#[test]
fn nor_is_a_neighbour_within_the_same_group() {
    let (client, _files) = spilling(&[]);
    for path in ["a/greedy", "a/modest"] {
        client.open_group(path).unwrap();
    }
    let modest = start(&client, "a/modest");
    let greedy = start_with(&client, "a/greedy", BatchSpec { latency_sensitive: true, ..BatchSpec::default() });
    for n in 0..5 {
        client.put_bytes(modest, &filled(n));
    }
    fill(&client, greedy);
    wait_in_vain(&client);
    assert_eq!(client.seen(modest).spilled, 0);
    client.end(greedy);
    client.end(modest);
    client.audit().unwrap();
}

#[test]
fn kept_objects_that_lie_in_files_count_as_used_and_not_as_held() {
    let (client, _files) = spilling(&[]);
    client.open_group("g").unwrap();
    let outer = start(&client, "g");
    let inner = client.start_in(outer);
    let ids: Vec<_> = (0..3).map(|n| client.put_bytes(inner, &filled(n))).collect();
    client.end_keeping(inner, &ids);
    assert_eq!((seen(&client, "g").held, seen(&client, "g").bytes), (300_000, 300_000));
    client.spill().unwrap();
    assert_eq!((seen(&client, "g").held, seen(&client, "g").bytes), (0, 300_000));
    client.assert_has(&ids[1], &filled(1));
    assert_eq!(seen(&client, "g").held, 100_000, "it was taken back");
    client.end(outer);
    assert_eq!((seen(&client, "g").held, seen(&client, "g").bytes), (0, 0));
    client.audit().unwrap();
}

#[test]
fn a_store_that_ignores_batches_ignores_what_their_groups_hold() {
    let client = open_with(&[("eviction", "lru")]);
    client.open_group("g").unwrap();
    client.limit_group("g", GroupLimit::Bytes(Some(1))).unwrap();
    let b = start(&client, "g");
    client.put_bytes(b, &[1; 1000]);
    assert_eq!((seen(&client, "g").bytes, seen(&client, "g").held, seen(&client, "g").batches), (0, 0, 1));
}

/// Who reports the results of tasks does not wait for room: what cannot be stored then is lost. So it is not refused what is
/// there, where files make room again.
#[test]
fn a_tasks_result_has_what_is_left_where_files_make_room_for_others() {
    for spills in [false, true] {
        let (client, _files) = if spills {
            let (client, files) = spilling(&[("spill.highWater", "60")]);
            (client, Some(files))
        } else {
            (open(), None)
        };
        let store = client.store();
        let (greedy, other) = (store.shares().whole().part("greedy"), store.shares().whole().part("other"));
        greedy.join();
        other.join();
        let budget = Budget::of_group("greedy", Arc::clone(&greedy), None);
        let region = store.create_region(BatchId(9), Some(budget)).unwrap();
        let slot = Slot { slot: region.reserve_slots(1).unwrap(), index: 0 };
        let e = loop {
            if let Err(e) = region.put(Kind::Bytes, &&filled(1)[..]) {
                break e;
            }
        };
        assert!(e.message().contains("its fair share is 8388608"), "{e}");
        let result = region.put_at(slot, Kind::Bytes, &&filled(2)[..]);
        if spills {
            assert_eq!(result.unwrap(), Found::Here(true));
            region.reserve_slots(100_000).unwrap();
        } else {
            assert_eq!(result.unwrap_err().code(), ErrorCode::StoreFull);
            assert_eq!(region.reserve_slots(100_000).unwrap_err().code(), ErrorCode::StoreFull);
        }
        store.drop_region(&region);
        assert_eq!(greedy.held(), 0);
        greedy.leave();
        other.leave();
    }
}

/// Loans, keeps, spills, reads that take objects back, limits and ends at once: in the end a group holds and uses nothing.
#[test]
fn what_groups_hold_adds_up_whatever_races() {
    let (client, _files) = spilling(&[("spill.highWater", "50")]);
    const GROUPS: [&str; 3] = ["a/x", "a/y", "b"];
    GROUPS.iter().for_each(|path| client.open_group(path).unwrap());
    let stop = AtomicU64::new(0);
    std::thread::scope(|s| {
        let workers: Vec<_> = (0..4u64)
            .map(|t| {
                let client = &client;
                s.spawn(move || {
                    for round in 0..40 {
                        let group = GROUPS[((t + round) % 3) as usize];
                        let outer = start(client, group);
                        let inner = client.start_in(outer);
                        let mut ids = Vec::new();
                        for n in 0..12 {
                            let bytes = if n % 3 == 0 { filled(n) } else { vec![n as u8; 500 * n as usize] };
                            match client.try_put(inner, &bytes) {
                                Ok(id) => ids.push((id, bytes)),
                                Err(e) => {
                                    assert!(matches!(e.code(), ErrorCode::StoreFull | ErrorCode::BatchLimit), "{e}");
                                }
                            }
                        }
                        for (n, (id, bytes)) in ids.iter().enumerate() {
                            client.assert_has(id, bytes);
                            if n % 2 == 0
                                && let Err(e) = client.transfer(&[*id], Some(inner), None)
                            {
                                assert_eq!(e.code(), ErrorCode::StoreFull, "{e}");
                            }
                        }
                        client.end(inner);
                        client.end(outer);
                    }
                })
            })
            .collect();
        s.spawn(|| {
            while stop.load(Ordering::Relaxed) == 0 {
                client.spill().unwrap();
                client.limit_group("a", GroupLimit::Bytes(Some(3_000_000))).unwrap();
                client.groups().unwrap();
                client.limit_group("a", GroupLimit::Bytes(None)).unwrap();
            }
        });
        let results: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        stop.store(1, Ordering::Relaxed);
        results.into_iter().for_each(|result| result.unwrap());
    });
    eventually("nothing drains", || client.stats().unwrap().store.draining == 0);
    for group in client.groups().unwrap() {
        assert_eq!((group.bytes, group.objects, group.held, group.batches), (0, 0, 0, 0), "{}", group.path);
    }
    client.audit().unwrap();
}
