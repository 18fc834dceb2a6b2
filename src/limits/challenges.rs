//! Open challenges of proofs of possession: the upload, the user who may prove it, the answer.
//!
//! They are in memory: a challenge lives for a minute, and its answer can be used once. A client
//! that loses it (by a restart, or because there are too many) creates the upload again and gets
//! another. A proof that was accepted does not depend on them afterwards.
//!
//! **Invariants**
//! - An answer is accepted only from the user whose Create was offered the challenge, for that
//!   upload.
//! - Every answer, right or wrong, ends the challenge; a new challenge ends the one before.
//! - Challenges count, not wrong answers: a client without the file would ask until it can answer.
//! - All of it is bounded: offers, what each holds, questions of an upload and of a user.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use crate::store::{Candidate, ExpectedAnswer, NONCE_BYTES, Proven};
use crate::types::UploadId;
use crate::wire::{Error, ErrorCode};

/// Time in which a challenge can be answered.
pub const CHALLENGE_LIFE: Duration = Duration::from_secs(60);
/// Time after its Create in which an upload can be challenged.
const OFFER_LIFE: Duration = Duration::from_secs(15 * 60);
/// Offers of all users. One more drops the oldest offer of the user with most offers.
const OFFERS_MAX: usize = 4096;
/// Objects by which one offer's content was found. One is needed; the other is for when it goes.
pub const OFFER_OBJECTS_MAX: usize = 2;
/// Questions about one upload.
const CHALLENGES_MAX: u32 = 4;
/// Questions of a user that were not answered rightly, at once.
const OPEN_QUESTIONS_MAX: u32 = 100;
/// Time after which a user may ask once more. Who has half of a file would need 45 days.
const UNANSWERED_REFILL: Duration = Duration::from_secs(60);

/// Answer of a client to a challenge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// The nonce of the challenge that it answers.
    pub nonce: [u8; NONCE_BYTES],
    /// The SHA-256 of the nonce and the ranges.
    pub sha256: [u8; 32],
}

/// Open challenges of all users.
#[derive(Default)]
pub struct Challenges(Mutex<HashMap<String, User>>);

struct User {
    /// Oldest first.
    offers: VecDeque<Offer>,
    /// Questions that were not answered rightly, less those that time has forgiven.
    unanswered: u32,
    /// Up to when time has been counted.
    counted: Instant,
}

struct Offer {
    upload: UploadId,
    found: Vec<Candidate>,
    since: Instant,
    questions: u32,
    open: Option<Open>,
}

/// A question that waits for its answer.
struct Open {
    nonce: [u8; NONCE_BYTES],
    expected: ExpectedAnswer,
    until: Instant,
}

/// Why a question is not asked, or an answer not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The upload's Create was offered no challenge, or too long ago.
    NoOffer,
    /// There is no question, or another one.
    NoChallenge,
    /// The answer is too late.
    Late,
    /// It is wrong.
    Wrong,
    /// The upload was asked about often enough.
    Enough,
    /// The user left too many questions unanswered.
    TooMany,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let denied = |message: &str| Self::because(ErrorCode::AccessDenied, message);
        match refusal {
            Refusal::NoOffer => Self::because(
                ErrorCode::InvalidRequest,
                "There is no challenge for this upload. Create it again, or send its parts.",
            ),
            Refusal::NoChallenge => denied("There is no challenge of this nonce."),
            Refusal::Late => denied("The challenge has ended: it lives for 60 seconds."),
            Refusal::Wrong => denied("The proof is wrong. Send the parts."),
            Refusal::Enough => denied("This upload has had its challenges. Send the parts."),
            Refusal::TooMany => Self::because(
                ErrorCode::SlowDown,
                "Too many challenges were left without a right answer. Send the parts.",
            )
            .header("retry-after", UNANSWERED_REFILL.as_secs().to_string()),
        }
    }
}

impl Challenges {
    /// The upload may be proven by this user, to have what was found.
    pub fn offer(&self, user: &str, upload: UploadId, mut found: Vec<Candidate>, now: Instant) {
        found.truncate(OFFER_OBJECTS_MAX);
        let mut users = self.lock();
        users.retain(|_, user| !user.is_over(now));
        if users.values().map(|user| user.offers.len()).sum::<usize>() >= OFFERS_MAX
            && let Some(most) = users.values_mut().max_by_key(|user| user.offers.len())
        {
            most.offers.pop_front();
        }
        let user = users.entry(user.to_owned()).or_insert_with(|| User::new(now));
        let before = user.offers.iter().position(|offer| offer.upload == upload);
        let before = before.and_then(|at| user.offers.remove(at));
        let questions = before.map_or(0, |offer| offer.questions);
        user.offers.push_back(Offer { upload, found, since: now, questions, open: None });
    }

    /// Contents that a new challenge is about; the challenge counts from here on.
    ///
    /// # Errors
    /// NoOffer, Enough, TooMany.
    pub fn begin(
        &self,
        user: &str,
        upload: UploadId,
        now: Instant,
    ) -> Result<Vec<Candidate>, Refusal> {
        let mut users = self.lock();
        let user = users.get_mut(user).ok_or(Refusal::NoOffer)?;
        user.pass(now);
        let unanswered = user.unanswered;
        let offer = user.offer(upload).ok_or(Refusal::NoOffer)?;
        if offer.questions == CHALLENGES_MAX {
            return Err(Refusal::Enough);
        }
        if unanswered == OPEN_QUESTIONS_MAX {
            return Err(Refusal::TooMany);
        }
        offer.questions += 1;
        offer.open = None;
        let found = offer.found.clone();
        user.unanswered += 1;
        Ok(found)
    }

    /// Waits for the answer to a question that was begun.
    ///
    /// # Errors
    /// NoOffer, if it has gone meanwhile.
    pub fn ask(
        &self,
        user: &str,
        upload: UploadId,
        nonce: [u8; NONCE_BYTES],
        expected: ExpectedAnswer,
        now: Instant,
    ) -> Result<(), Refusal> {
        let mut users = self.lock();
        let offer = users.get_mut(user).and_then(|user| user.offer(upload));
        let offer = offer.ok_or(Refusal::NoOffer)?;
        offer.open = Some(Open { nonce, expected, until: now + CHALLENGE_LIFE });
        Ok(())
    }

    /// Checks an answer. A right one ends the offer and gives the contents that were proven.
    ///
    /// # Errors
    /// NoChallenge, Late, Wrong.
    pub fn answer(
        &self,
        user: &str,
        upload: UploadId,
        proof: &Proof,
        now: Instant,
    ) -> Result<Vec<Proven>, Refusal> {
        let mut users = self.lock();
        let user = users.get_mut(user).ok_or(Refusal::NoChallenge)?;
        user.pass(now);
        let at = user.offers.iter().position(|offer| offer.upload == upload);
        let at = at.ok_or(Refusal::NoChallenge)?;
        // Whatever it says, the question is over.
        let open = user.offers[at].open.take().ok_or(Refusal::NoChallenge)?;
        if open.nonce != proof.nonce {
            return Err(Refusal::NoChallenge);
        }
        if now >= open.until {
            return Err(Refusal::Late);
        }
        let proven = open.expected.prove(&proof.sha256).ok_or(Refusal::Wrong)?;
        user.unanswered = user.unanswered.saturating_sub(1);
        user.offers.remove(at);
        Ok(proven)
    }

    /// A question that was begun could not be asked: it does not count.
    pub fn forgive(&self, user: &str) {
        if let Some(user) = self.lock().get_mut(user) {
            user.unanswered = user.unanswered.saturating_sub(1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, User>> {
        self.0.lock()
    }
}

impl User {
    fn new(now: Instant) -> Self {
        Self { offers: VecDeque::new(), unanswered: 0, counted: now }
    }

    /// Time passes: old offers go, and what was left unanswered is forgiven.
    fn pass(&mut self, now: Instant) {
        let is_old = |offer: &mut Offer| now.saturating_duration_since(offer.since) >= OFFER_LIFE;
        while self.offers.pop_front_if(is_old).is_some() {}
        let passed = now.saturating_duration_since(self.counted);
        let turns = passed.as_secs() / UNANSWERED_REFILL.as_secs();
        let turns = u32::try_from(turns).unwrap_or(u32::MAX);
        self.unanswered = self.unanswered.saturating_sub(turns);
        self.counted = match self.unanswered {
            0 => now,
            _ => self.counted + UNANSWERED_REFILL * turns,
        };
    }

    /// True if the user has neither offers nor unanswered challenges.
    fn is_over(&mut self, now: Instant) -> bool {
        self.pass(now);
        self.offers.is_empty() && self.unanswered == 0
    }

    fn offer(&mut self, upload: UploadId) -> Option<&mut Offer> {
        self.offers.iter_mut().find(|offer| offer.upload == upload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn proof(nonce: u8, sha256: u8) -> Proof {
        Proof { nonce: [nonce; NONCE_BYTES], sha256: [sha256; 32] }
    }

    /// Open challenges, an upload of alice's that may be proven, and the time.
    fn offered() -> (Challenges, UploadId, Instant) {
        let (challenges, upload, now) = (Challenges::default(), UploadId::new(), Instant::now());
        challenges.offer("alice", upload, Vec::new(), now);
        (challenges, upload, now)
    }

    fn ask(challenges: &Challenges, upload: UploadId, nonce: u8, now: Instant) {
        challenges.begin("alice", upload, now).unwrap();
        wait_for(challenges, upload, nonce, now).unwrap();
    }

    /// Waits for the answer `proof(answer, answer)`.
    fn wait_for(
        challenges: &Challenges,
        upload: UploadId,
        answer: u8,
        now: Instant,
    ) -> Result<(), Refusal> {
        let expected = ExpectedAnswer::new([answer; 32], Vec::new());
        challenges.ask("alice", upload, [answer; NONCE_BYTES], expected, now)
    }

    #[test]
    fn a_right_answer_is_taken_once() {
        let (challenges, upload, now) = offered();
        ask(&challenges, upload, 1, now);
        let answer = || challenges.answer("alice", upload, &proof(1, 1), now + SECOND).map(drop);
        assert_eq!(answer(), Ok(()));
        assert_eq!(answer(), Err(Refusal::NoChallenge));
        assert_eq!(challenges.lock()["alice"].unanswered, 0, "it is forgiven");
    }

    #[test]
    fn every_answer_ends_the_question() {
        for (given, refusal) in [
            (proof(1, 2), Refusal::Wrong),
            (proof(2, 1), Refusal::NoChallenge),
            (proof(2, 2), Refusal::NoChallenge),
        ] {
            let (challenges, upload, now) = offered();
            ask(&challenges, upload, 1, now);
            assert_eq!(challenges.answer("alice", upload, &given, now).err(), Some(refusal));
            let right = challenges.answer("alice", upload, &proof(1, 1), now);
            assert_eq!(right.err(), Some(Refusal::NoChallenge), "{given:?}");
        }
    }

    #[test]
    fn a_question_ends_the_one_before() {
        let (challenges, upload, now) = offered();
        ask(&challenges, upload, 1, now);
        challenges.begin("alice", upload, now).unwrap();
        let early = challenges.answer("alice", upload, &proof(1, 1), now);
        assert_eq!(early.err(), Some(Refusal::NoChallenge));
        wait_for(&challenges, upload, 2, now).unwrap();
        assert!(challenges.answer("alice", upload, &proof(2, 2), now).is_ok());
    }

    #[test]
    fn an_expired_nonce_is_refused() {
        let (challenges, upload, now) = offered();
        ask(&challenges, upload, 1, now);
        let late = challenges.answer("alice", upload, &proof(1, 1), now + CHALLENGE_LIFE);
        assert_eq!(late.err(), Some(Refusal::Late));
        ask(&challenges, upload, 2, now);
        let last = now + CHALLENGE_LIFE - Duration::from_millis(1);
        assert!(challenges.answer("alice", upload, &proof(2, 2), last).is_ok());
    }

    #[test]
    fn an_answer_is_for_one_upload_of_one_user() {
        let (challenges, upload, now) = offered();
        let other = UploadId::new();
        challenges.offer("alice", other, Vec::new(), now);
        challenges.offer("bob", other, Vec::new(), now);
        ask(&challenges, upload, 1, now);
        ask(&challenges, other, 2, now);
        for (user, of) in [("bob", upload), ("bob", other), ("carol", upload), ("alice", other)] {
            let answer = challenges.answer(user, of, &proof(1, 1), now);
            assert_eq!(answer.err(), Some(Refusal::NoChallenge), "{user}");
        }
        assert!(challenges.answer("alice", upload, &proof(1, 1), now).is_ok());
    }

    #[test]
    fn questions_of_an_upload_are_few_however_often_it_is_created() {
        let (challenges, upload, now) = offered();
        for _ in 0..CHALLENGES_MAX {
            challenges.offer("alice", upload, Vec::new(), now);
            challenges.begin("alice", upload, now).unwrap();
        }
        challenges.offer("alice", upload, Vec::new(), now);
        assert_eq!(challenges.begin("alice", upload, now).err(), Some(Refusal::Enough));
    }

    #[test]
    fn questions_of_a_user_are_few_and_come_back_with_time_and_right_answers() {
        let (challenges, _, now) = offered();
        let begin = |now| {
            let upload = UploadId::new();
            challenges.offer("alice", upload, Vec::new(), now);
            challenges.begin("alice", upload, now).map(|_| upload)
        };
        let uploads: Vec<UploadId> = (0..OPEN_QUESTIONS_MAX).map(|_| begin(now).unwrap()).collect();
        assert_eq!(begin(now), Err(Refusal::TooMany));
        wait_for(&challenges, uploads[0], 1, now).unwrap();
        challenges.answer("alice", uploads[0], &proof(1, 1), now).unwrap();
        begin(now).unwrap();
        assert_eq!(begin(now + UNANSWERED_REFILL - SECOND), Err(Refusal::TooMany));
        begin(now + UNANSWERED_REFILL).unwrap();
        assert_eq!(begin(now + UNANSWERED_REFILL * 2 - SECOND), Err(Refusal::TooMany));
        for _ in 0..OPEN_QUESTIONS_MAX {
            begin(now + UNANSWERED_REFILL * (OPEN_QUESTIONS_MAX + 1)).unwrap();
        }
        // Another user is not held up.
        let upload = UploadId::new();
        challenges.offer("bob", upload, Vec::new(), now);
        assert!(challenges.begin("bob", upload, now).is_ok());
    }

    #[test]
    fn memory_is_bounded_and_one_user_takes_no_places_of_others() {
        let (challenges, upload, now) = offered();
        for _ in 0..OFFERS_MAX + 10 {
            challenges.offer("bob", UploadId::new(), Vec::new(), now);
        }
        let count = |user: &str| challenges.lock().get(user).map_or(0, |user| user.offers.len());
        assert_eq!((count("alice"), count("bob")), (1, OFFERS_MAX - 1));
        assert!(challenges.begin("alice", upload, now).is_ok());
        // Old offers go with the next one, and users without any are forgotten.
        challenges.offer("carol", UploadId::new(), Vec::new(), now + OFFER_LIFE);
        assert_eq!((count("alice"), count("bob"), count("carol")), (0, 0, 1));
        assert!(!challenges.lock().contains_key("bob"));
        assert_eq!(challenges.begin("alice", upload, now).err(), Some(Refusal::NoOffer));
    }
}
