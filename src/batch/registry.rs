//! The open stores of this process, by name, so that a client can connect to one.
//!
//! This is the crate's only mutable static. Connecting means finding what another part of the process opened, knowing
//! nothing but its name: that is global by nature. It holds no store alive.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::engine::Engine;
use crate::error::{Error, ErrorCode, Result};

/// name → the engine of the store
static OPEN: Mutex<BTreeMap<String, Weak<Engine>>> = Mutex::new(BTreeMap::new());

/// Opens a store under a name that is unique while it is open; chosen where none is given.
///
/// # Errors
/// `StoreOpen` when the name is taken; what `open` says.
pub(crate) fn open(name: Option<&str>, open: impl FnOnce(&str) -> Result<Arc<Engine>>) -> Result<Arc<Engine>> {
    let mut stores = OPEN.lock();
    stores.retain(|_, engine| engine.strong_count() > 0);
    let name = match name {
        Some(name) if stores.contains_key(name) => {
            return Err(Error::new(
                ErrorCode::StoreOpen,
                format!("a store named '{name}' is open in this process; connect to it, or choose another name"),
            ));
        }
        Some(name) => name.to_owned(),
        None => (1..).map(|n: u64| format!("store-{n}")).find(|name| !stores.contains_key(name)).unwrap_or_default(),
    };
    let engine = open(&name)?;
    stores.insert(name, Arc::downgrade(&engine));
    Ok(engine)
}

/// The store of that name.
///
/// # Errors
/// `StoreConnect`, naming those that are open.
pub(crate) fn find(name: &str) -> Result<Arc<Engine>> {
    // an engine given up here would go while the registry is locked, so the lock ends first
    let (found, names) = {
        let stores = OPEN.lock();
        (stores.get(name).and_then(Weak::upgrade), stores.keys().cloned().collect::<Vec<_>>())
    };
    found.filter(|engine| !engine.is_closed()).ok_or_else(|| {
        let open = if names.is_empty() { "none is".to_owned() } else { format!("open are {}", names.join(", ")) };
        Error::new(
            ErrorCode::StoreConnect,
            format!("no store named '{name}' is open in this process ({open}); open it first, then connect"),
        )
    })
}

/// Gives a name up.
pub(crate) fn remove(name: &str, engine: &Engine) {
    let mut stores = OPEN.lock();
    if stores.get(name).is_some_and(|open| std::ptr::eq(open.as_ptr(), engine)) {
        stores.remove(name);
    }
}
