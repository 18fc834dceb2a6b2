//! Places for connections, with a share for each address.
//!
//! A connection is idle until the head of a request is complete, and again after its response. When
//! the places are taken, or the share of an address, a new connection takes the place of an idle
//! one: clients open a closed connection again. It is the longest idle one
//!
//! 1. of its own address, when the share of that is taken;
//! 2. of the address that has most places, when these are more than its own;
//! 3. else of all.
//!
//! In the first and the last case only one that was idle for `IDLE_MIN`: its request may be on
//! its way. When there is none, the new connection gets one of a few reserved places, in which only
//! the health is answered, and all else with 503 SlowDown.
//!
//! **Invariants**
//! - No more connections are served than there are places, and none of an address beyond its share.
//!   (A connection that was told to close may last a moment longer.)
//! - What idle connections hold is given to new ones, in the reserve too: silent connections keep
//!   nobody out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

/// Places for connections that get 503 SlowDown, or the health.
pub const CONNECTIONS_RESERVED: usize = 64;

/// Shortest time after which an idle connection is closed for another one.
const IDLE_MIN: Duration = Duration::from_millis(200);
/// Interval at which a new connection looks for a place.
const PLACE_CHECK: Duration = Duration::from_millis(50);

/// Bounds of the places, in connections.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections that are served at once.
    pub all: usize,
    /// Connections of one address that are served at once; of IPv6, of one /64 network.
    pub of_address: usize,
    /// Connections in the reserve.
    pub reserved: usize,
}

/// The places of a server. Cheap to clone; every clone is the same table.
#[derive(Clone)]
pub struct Connections(Arc<Table>);

struct Table {
    bounds: Bounds,
    start: Instant,
    state: Mutex<State>,
    /// Connections that have not ended, also those that were told to close.
    open: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    next: u64,
    served: HashMap<u64, Entry>,
    reserve: HashMap<u64, Entry>,
    of_address: HashMap<IpAddr, usize>,
}

struct Entry {
    address: IpAddr,
    activity: Activity,
}

/// Place of one connection, until it is dropped.
pub struct Place {
    connections: Connections,
    number: u64,
    is_reserved: bool,
    activity: Activity,
}

/// Activity of a connection. Cheap to clone; every clone is the same activity.
#[derive(Clone, Debug)]
pub struct Activity(Arc<ActivityState>);

#[derive(Debug)]
struct ActivityState {
    start: Instant,
    /// Milliseconds after `start` at which it became idle; [`BUSY`] while a request is handled.
    idle_since: AtomicU64,
    close: Notify,
}

const BUSY: u64 = u64::MAX;

/// Patience of a new connection: it waits until another one was idle long enough, or no longer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    Waits,
    Over,
}

impl Connections {
    /// A table without connections.
    pub fn new(bounds: Bounds) -> Self {
        let (start, state, open) = (Instant::now(), Mutex::default(), watch::Sender::new(0));
        Self(Arc::new(Table { bounds, start, state, open }))
    }

    /// Takes a place for a new connection: at once, or when another one was idle long enough. Waits
    /// while the reserve is taken too, by connections that are not idle.
    pub async fn place(&self, address: IpAddr) -> Place {
        let deadline = Instant::now() + 2 * IDLE_MIN;
        loop {
            let patience = if Instant::now() < deadline { Patience::Waits } else { Patience::Over };
            if let Some(place) = self.admit(address, patience) {
                return place;
            }
            tokio::time::sleep(PLACE_CHECK).await;
        }
    }

    /// Takes a place if there is one without a wait.
    pub fn place_at_once(&self, address: IpAddr) -> Option<Place> {
        self.admit(address, Patience::Waits)
    }

    fn admit(&self, address: IpAddr, patience: Patience) -> Option<Place> {
        let Bounds { all, of_address, reserved } = self.0.bounds;
        let address = network(address);
        let now = self.0.start.elapsed().as_millis() as u64;
        let mut state = self.0.state.lock();
        let own = state.of_address.get(&address).copied().unwrap_or(0);
        let has_been_idle = |(since, _): &(u64, u64)| since + IDLE_MIN.as_millis() as u64 <= now;
        let is_served = if own >= of_address {
            let idle = longest_idle(&state.served, Some(address)).filter(has_been_idle);
            idle.map(|(_, number)| state.end(number)).is_some()
        } else if state.served.len() < all {
            true
        } else if let Some(number) = state.of_crowd(own) {
            state.end(number);
            true
        } else {
            match longest_idle(&state.served, None) {
                Some(idle) if has_been_idle(&idle) => {
                    state.end(idle.1);
                    true
                }
                Some(_) if patience == Patience::Waits => return None,
                _ => false,
            }
        };
        if !is_served && state.reserve.len() >= reserved {
            let (_, number) = longest_idle(&state.reserve, None)?;
            state.end(number);
        }
        let number = state.next;
        state.next += 1;
        let activity = Activity::idle_since(self.0.start);
        let entry = Entry { address, activity: activity.clone() };
        if is_served {
            *state.of_address.entry(address).or_default() += 1;
            state.served.insert(number, entry);
        } else {
            state.reserve.insert(number, entry);
        }
        self.0.open.send_modify(|open| *open += 1);
        Some(Place { connections: self.clone(), number, is_reserved: !is_served, activity })
    }

    /// Returns when all connections have ended.
    pub async fn all_ended(&self) {
        // The sender is here, so there is no other end of waiting.
        let _ = self.0.open.subscribe().wait_for(|open| *open == 0).await;
    }
}

impl State {
    /// The longest idle connection of the address that has most places, if these are more than
    /// those of a new connection's address, `own`, and that one.
    fn of_crowd(&self, own: usize) -> Option<u64> {
        let (address, count) = self.of_address.iter().max_by_key(|(_, count)| **count)?;
        let idle = longest_idle(&self.served, Some((*count > own + 1).then_some(*address)?));
        idle.map(|(_, number)| number)
    }

    /// Frees the place of a connection, if it still has one, and tells it to close.
    fn end(&mut self, number: u64) {
        if let Some(entry) = self.served.remove(&number) {
            entry.activity.close();
            match self.of_address.get_mut(&entry.address) {
                Some(own) if *own > 1 => *own -= 1,
                _ => drop(self.of_address.remove(&entry.address)),
            }
        } else if let Some(entry) = self.reserve.remove(&number) {
            entry.activity.close();
        }
    }
}

/// The connection that was idle longest (of one address): since when, and its number.
fn longest_idle(entries: &HashMap<u64, Entry>, address: Option<IpAddr>) -> Option<(u64, u64)> {
    let of = |entry: &Entry| address.is_none_or(|address| entry.address == address);
    let idle = entries.iter().filter(|(_, entry)| of(entry)).filter_map(|(number, entry)| {
        let since = entry.activity.0.idle_since.load(Ordering::Relaxed);
        (since != BUSY).then_some((since, *number))
    });
    idle.min()
}

/// The address that has a share: a client may choose any address of its /64 network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let bits = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(bits))
        }
        v4 => v4,
    }
}

impl Place {
    /// True if only the health is answered here.
    pub fn is_reserved(&self) -> bool {
        self.is_reserved
    }

    /// Activity of the connection.
    pub fn activity(&self) -> &Activity {
        &self.activity
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.0.state.lock().end(self.number);
        self.connections.0.open.send_modify(|open| *open -= 1);
    }
}

impl Activity {
    fn idle_since(start: Instant) -> Self {
        let idle_since = AtomicU64::new(0);
        let activity = Self(Arc::new(ActivityState { start, idle_since, close: Notify::new() }));
        activity.idle();
        activity
    }

    /// A request is handled from now on.
    pub fn busy(&self) {
        self.0.idle_since.store(BUSY, Ordering::Relaxed);
    }

    /// The connection waits for a request from now on.
    pub fn idle(&self) {
        let since = self.0.start.elapsed().as_millis() as u64;
        self.0.idle_since.store(since, Ordering::Relaxed);
    }

    /// True while the connection waits for a request.
    pub fn is_idle(&self) -> bool {
        self.0.idle_since.load(Ordering::Relaxed) != BUSY
    }

    /// Returns when another connection has taken the place: this one must close, after the request
    /// that it handles, if any.
    pub async fn told_to_close(&self) {
        self.0.close.notified().await;
    }

    fn close(&self) {
        self.0.close.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn other(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn connections(all: usize, of_address: usize) -> Connections {
        Connections::new(Bounds { all, of_address, reserved: 2 })
    }

    /// A place whose connection handles a request.
    fn busy(connections: &Connections, address: IpAddr) -> Place {
        let place = admit(connections, address);
        place.activity().busy();
        place
    }

    fn is_told(place: &Place) -> bool {
        use std::task::{Context, Poll, Waker};
        let told = std::pin::pin!(place.activity().told_to_close());
        told.poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    /// A place, after so much patience that no connection is too young to be closed.
    fn admit(connections: &Connections, address: IpAddr) -> Place {
        std::thread::sleep(IDLE_MIN);
        connections.admit(address, Patience::Over).expect("there is a place")
    }

    #[test]
    fn the_longest_idle_connection_makes_room() {
        let connections = connections(3, 3);
        let busy = busy(&connections, HERE);
        let first = admit(&connections, other(8));
        let second = admit(&connections, other(9));
        let third = admit(&connections, other(1));
        assert!(!third.is_reserved());
        assert!(is_told(&first) && !is_told(&second) && !is_told(&busy));
        drop(first);
        let fourth = admit(&connections, other(2));
        assert!(is_told(&second) && !fourth.is_reserved());
        assert_eq!(connections.0.state.lock().served.len(), 3);
    }

    #[test]
    fn an_address_with_fewer_connections_waits_for_nobody() {
        let connections = connections(4, 4);
        let crowd: Vec<Place> =
            (0..4).filter_map(|_| connections.place_at_once(other(1))).collect();
        assert_eq!(crowd.len(), 4);
        let first = connections.place_at_once(HERE).expect("a place of the crowd");
        let second = connections.place_at_once(HERE).expect("another one");
        assert!(!first.is_reserved() && !second.is_reserved());
        assert_eq!(crowd.iter().filter(|place| is_told(place)).count(), 2);
        assert!(connections.place_at_once(HERE).is_none(), "now both have as many");
    }

    #[test]
    fn a_connection_whose_request_may_be_on_its_way_is_not_closed() {
        let connections = connections(1, 1);
        let young = connections.place_at_once(HERE).expect("a place");
        assert!(connections.place_at_once(other(1)).is_none(), "it is too young");
        let reserved = connections.admit(other(1), Patience::Over).expect("a reserved place");
        assert!(reserved.is_reserved() && !is_told(&young));
        std::thread::sleep(IDLE_MIN);
        assert!(!connections.place_at_once(other(1)).expect("its place").is_reserved());
        assert!(is_told(&young));
    }

    #[test]
    fn an_address_leaves_places_to_others() {
        let connections = connections(4, 2);
        let held = [busy(&connections, HERE), busy(&connections, HERE)];
        let refused = admit(&connections, HERE);
        assert!(refused.is_reserved());
        assert!(!admit(&connections, other(1)).is_reserved());
        held[0].activity().idle();
        assert!(!admit(&connections, HERE).is_reserved());
        assert!(is_told(&held[0]) && !is_told(&held[1]));
    }

    #[test]
    fn the_reserve_is_for_those_that_ask_at_once() {
        let connections = connections(1, 1);
        let held = busy(&connections, HERE);
        let silent = [admit(&connections, other(1)), admit(&connections, other(2))];
        let asking = admit(&connections, other(3));
        assert!(asking.is_reserved() && is_told(&silent[0]));
        asking.activity().busy();
        let last = busy(&connections, other(4));
        let none = connections.admit(other(5), Patience::Over);
        assert!(none.is_none(), "all of the reserve is in use");
        drop((last, asking, silent, held));
        assert!(!admit(&connections, HERE).is_reserved());
        assert_eq!(*connections.0.open.borrow(), 0);
        assert!(connections.0.state.lock().of_address.is_empty());
    }

    #[test]
    fn addresses_of_one_network_share() {
        let address = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:1"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:10.0.0.1"), address("10.0.0.1"));
        assert_ne!(address("10.0.0.2"), address("10.0.0.1"));
    }
}
