//! What errors about batches and their objects say.

use std::fmt::Write as _;

use super::Reason;
use super::record::{End, Record};
use crate::error::{Error, ErrorCode};
use crate::id::{BatchId, ObjectId};
use crate::store::now_ms;

/// `7 'name'`
pub(crate) fn label(record: &Record) -> String {
    match &record.name {
        Some(name) => format!("{} '{name}'", record.key.id),
        None => record.key.id.to_string(),
    }
}

/// Epoch milliseconds as `2026-03-01T12:00:00.000Z`.
pub(crate) fn time(ms: u64) -> String {
    let (days, of_day) = (ms / 86_400_000, ms % 86_400_000);
    // civil date from days, counting years from March and eras of 400 years
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (h, m, s, milli) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60, of_day % 1000);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{milli:03}Z")
}

/// `timed out after 100 ms at …`; `ended with batch 5 around it, which timed out after 100 ms at …`
fn how(record: &Record, end: &End) -> String {
    let (mut text, cause) = match &end.outer {
        None => (String::new(), record),
        Some(outer) if outer.key == outer.parent => ("ended with its client, which ".to_owned(), record),
        Some(outer) => (format!("ended with batch {} around it, which ", label(outer)), &**outer),
    };
    match (end.reason, cause.timeout) {
        (Reason::Closed, _) => {
            let _ = write!(text, "was ended by {}", end.by);
        }
        (Reason::Cancelled, _) => {
            let _ = write!(text, "was cancelled by {}", end.by);
        }
        (Reason::Leaked, _) => {
            let _ = write!(text, "leaked: it was unreachable, and {} ended it", end.by);
        }
        (Reason::TimedOut, Some(timeout)) => {
            let _ = write!(text, "timed out after {} ms", timeout.as_millis());
        }
        (Reason::TimedOut, None) => text.push_str("timed out"),
    }
    let _ = write!(text, " at {}", time(end.at_ms));
    text
}

/// Why the tasks of an ended batch are cancelled. `reason` and `by` are of that cancellation, which may come after the batch
/// ended in another way.
pub(super) fn why_ended(record: &Record, reason: Reason, by: &str) -> String {
    let how = match record.end.get() {
        Some(end) if end.reason == reason => how(record, end),
        _ if reason == Reason::TimedOut => {
            format!("timed out after {} ms", record.timeout.unwrap_or_default().as_millis())
        }
        _ => format!("was cancelled by {by}"),
    };
    format!("batch {} {how}", label(record))
}

/// An error that a batch's end caused: the reason is its only figure.
fn of_end(code: ErrorCode, text: String, record: &Record) -> Error {
    let error = Error::new(code, text);
    match record.end.get() {
        Some(end) => error.facts([end.reason as i64]),
        None => error,
    }
}

/// New work for a batch that takes none.
pub(crate) fn ended(record: &Record) -> Error {
    let mut text = format!("batch {} is over", label(record));
    if let Some(end) = record.end.get() {
        text = format!("batch {} {}", label(record), how(record, end));
    }
    if let Some(remains) = record.remains.get() {
        let _ = write!(text, ", and was collected at {}", time(remains.collected_ms));
    }
    text.push_str("; start a new batch for new work");
    of_end(ErrorCode::BatchEnded, text, record).batch(record.key.id)
}

/// A batch nobody knows.
pub(crate) fn not_found(id: BatchId) -> Error {
    let text = format!(
        "there is no batch {id}: it was never started in this store, or was collected so long ago that it is forgotten \
         (see the option tombstones)"
    );
    Error::new(ErrorCode::BatchNotFound, text).batch(id)
}

/// The id of a live batch.
pub(crate) fn exists(record: &Record) -> Error {
    let text = match record.end.get() {
        None => format!(
            "batch {} is live (started by {} at {}); end it before its id is used again",
            label(record),
            record.started_by,
            time(record.started_ms)
        ),
        Some(end) => format!(
            "batch {} {} but is not collected yet; collect it (gc) before its id is used again",
            label(record),
            how(record, end)
        ),
    };
    Error::new(ErrorCode::BatchExists, text).batch(record.key.id)
}

/// `gc` before the end.
pub(crate) fn active(record: &Record) -> Error {
    let text =
        format!("batch {} is still open, and can be collected only when it has ended; end it first", label(record));
    Error::new(ErrorCode::BatchActive, text).batch(record.key.id)
}

/// `gc` before the last task.
pub(crate) fn has_tasks(record: &Record) -> Error {
    let how = record.end.get().map_or_else(String::new, |end| format!(" {}, but", how(record, end)));
    let text = format!(
        "batch {}{how} has tasks still, or a batch within it has, and can be collected only when the last is over; wait \
         for it, or have the end collect it",
        label(record)
    );
    Error::new(ErrorCode::BatchActive, text).batch(record.key.id)
}

/// What may not be done to a root.
pub(crate) fn root(id: BatchId) -> Error {
    let text = format!("batch {id} is a client's root batch; it ends when its client closes");
    Error::new(ErrorCode::InvalidArgument, text).batch(id)
}

/// An object that went with a batch.
pub(crate) fn collected(id: &ObjectId, record: &Record) -> Error {
    let how = record.end.get().map_or_else(String::new, |end| format!(" {} and", how(record, end)));
    let at = record.remains.get().map_or_else(now_ms, |r| r.collected_ms);
    let text = format!(
        "object {id} was collected with batch {}, which{how} was collected at {}; keep what is to outlive its batch",
        label(record),
        time(at)
    );
    of_end(ErrorCode::ObjectCollected, text, record).object(*id)
}

/// No such object.
pub(crate) fn no_object(id: &ObjectId, why: &str) -> Error {
    Error::new(ErrorCode::ObjectNotFound, format!("there is no object {id}: {why}")).object(*id)
}

/// Bytes given up by `free`.
pub(crate) fn lost(id: &ObjectId) -> Error {
    let text = format!("object {id} was freed; it was put by a driver, so that nothing can make it again");
    Error::new(ErrorCode::ObjectLost, text).object(*id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_dates() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_200_123, "2024-03-01T00:00:00.123Z"),
            (4_102_444_799_000, "2099-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(time(ms), text);
        }
    }
}
