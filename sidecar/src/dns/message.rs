//! DNS messages, RFC 1035: the query we send and what we need of an answer.
//!
//! Names in an answer are passed over, never followed, so that no compression pointer can lead anywhere.

use std::fmt;
use std::net::IpAddr;

use super::Name;

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    A = 1,
    Aaaa = 28,
}

/// One question, and the number that its answer has to repeat.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) id: u16,
    pub(super) kind: Kind,
    pub(super) name: &'a Name,
}

/// What a server knows.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Answer {
    /// The name's addresses of the kind; there may be none.
    Addresses(Vec<IpAddr>),
    /// Nothing has this name.
    NoSuchName,
}

/// Why a datagram tells nothing.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("it answers another question")]
    Foreign,
    #[error("it is malformed")]
    Malformed,
    #[error("it says {0}")]
    Refused(ResponseCode),
    #[error("it is truncated")]
    Truncated,
}

/// A server's reason not to answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ResponseCode(u16);

/// Reads from the front of a message.
struct Reader<'a>(&'a [u8]);

// === impl Kind ===

impl Kind {
    fn address(self, data: &[u8]) -> Option<IpAddr> {
        match self {
            Self::A => <[u8; 4]>::try_from(data).ok().map(IpAddr::from),
            Self::Aaaa => <[u8; 16]>::try_from(data).ok().map(IpAddr::from),
        }
    }
}

// === impl Question ===

impl Question<'_> {
    /// The query, for a server to recurse on.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut query = Vec::with_capacity(MAX_QUERY);
        for word in [self.id, RECURSION_DESIRED, 1, 0, 0, 0] {
            query.extend(word.to_be_bytes());
        }
        query.extend(self.section());
        query
    }

    /// Reads a datagram that may be the answer.
    pub(super) fn answer(&self, datagram: &[u8]) -> Result<Answer, Unusable> {
        let section = self.section();
        let mut message = Reader(datagram);
        let [id, flags, questions, answers, _authorities, _additionals] =
            message.words().ok_or(Unusable::Foreign)?;
        let asked = message.take(section.len()).ok_or(Unusable::Foreign)?;
        let ours = id == self.id && flags & (RESPONSE | OPCODE) == RESPONSE && questions == 1;
        // Lengths of labels are no letters, and the letters' case is the server's to choose.
        if !ours || !asked.eq_ignore_ascii_case(&section) {
            return Err(Unusable::Foreign);
        }
        match flags & RESPONSE_CODE {
            0 => {}
            NAME_ERROR => return Ok(Answer::NoSuchName),
            code => return Err(Unusable::Refused(ResponseCode(code))),
        }
        let mut addresses = Vec::new();
        for _ in 0..answers {
            let (sort, data) = message.record().ok_or(Unusable::Malformed)?;
            if sort == [self.kind as u16, INTERNET] {
                addresses.push(self.kind.address(data).ok_or(Unusable::Malformed)?);
            }
        }
        if addresses.is_empty() && flags & TRUNCATED != 0 {
            return Err(Unusable::Truncated);
        }
        Ok(Answer::Addresses(addresses))
    }

    /// The question as both query and answer carry it.
    fn section(self) -> Vec<u8> {
        let mut section = Vec::with_capacity(MAX_QUERY);
        for label in self.name.labels() {
            section.extend(u8::try_from(label.len()));
            section.extend(label.bytes());
        }
        section.push(0);
        section.extend((self.kind as u16).to_be_bytes());
        section.extend(INTERNET.to_be_bytes());
        section
    }
}

// === impl ResponseCode ===

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("FORMERR"),
            2 => f.write_str("SERVFAIL"),
            4 => f.write_str("NOTIMP"),
            5 => f.write_str("REFUSED"),
            other => write!(f, "response code {other}"),
        }
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn words<const N: usize>(&mut self) -> Option<[u16; N]> {
        let mut words = [0; N];
        for word in &mut words {
            *word = u16::from_be_bytes(self.array()?);
        }
        Some(words)
    }

    /// Reads a record's kind and class, and its data. Whose it is does not matter: those of an alias's target belong
    /// to another name, and the server put them there because they answer the question.
    fn record(&mut self) -> Option<([u16; 2], &'a [u8])> {
        self.pass_name()?;
        let [kind, class, _ttl_high, _ttl_low, length] = self.words()?;
        Some(([kind, class], self.take(length.into())?))
    }

    fn pass_name(&mut self) -> Option<()> {
        loop {
            match self.array()? {
                [0] => return Some(()),
                [length @ 1..=MAX_LABEL] => self.take(length.into())?,
                [POINTER..=u8::MAX] => return self.take(1).map(drop),
                [_] => return None,
            };
        }
    }
}

const RECURSION_DESIRED: u16 = 0x0100;
const RESPONSE: u16 = 0x8000;
const OPCODE: u16 = 0x7800;
const TRUNCATED: u16 = 0x0200;
const RESPONSE_CODE: u16 = 0x000f;
const NAME_ERROR: u16 = 3;
const INTERNET: u16 = 1;
const MAX_LABEL: u8 = 63;
/// From here on the byte begins a pointer of two; what lies between is reserved.
const POINTER: u8 = 0xc0;
/// Header, longest name, kind and class.
const MAX_QUERY: usize = 12 + 255 + 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: u16 = 0x1234;

    fn name() -> Name {
        "api.flyte.svc.cluster.local".parse().unwrap()
    }

    fn ask(kind: Kind, datagram: &[u8]) -> Result<Answer, Unusable> {
        Question { id: ID, kind, name: &name() }.answer(datagram)
    }

    /// An answer with these header words behind the id, the question, and what follows it.
    fn mk_answer(kind: Kind, flags: u16, answers: u16, records: &[&[u8]]) -> Vec<u8> {
        let mut message: Vec<u8> =
            [ID, flags, 1, answers, 0, 0].into_iter().flat_map(u16::to_be_bytes).collect();
        message.extend(Question { id: ID, kind, name: &name() }.section());
        message.extend(records.concat());
        message
    }

    /// A record of the question's own name, by a pointer to it.
    fn mk_record(kind: u16, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(data.len()).unwrap();
        let words = [0xc00c, kind, 1, 0, 30, length];
        words.into_iter().flat_map(u16::to_be_bytes).chain(data.iter().copied()).collect()
    }

    fn addresses(texts: &[&str]) -> Answer {
        Answer::Addresses(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    #[test]
    fn a_query_is_what_rfc_1035_says() {
        let name = "a.bc".parse().unwrap();
        let query = Question { id: ID, kind: Kind::Aaaa, name: &name }.to_bytes();
        assert_eq!(query, b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x02bc\x00\x00\x1c\x00\x01");
    }

    #[test]
    fn addresses_are_read_in_order() {
        let records = [mk_record(1, &[10, 0, 0, 2]), mk_record(1, &[10, 0, 0, 1])].concat();
        let answer = mk_answer(Kind::A, 0x8580, 2, &[&records]);
        assert_eq!(ask(Kind::A, &answer), Ok(addresses(&["10.0.0.2", "10.0.0.1"])));
    }

    #[test]
    fn long_addresses_are_read() {
        let address = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa];
        let answer = mk_answer(Kind::Aaaa, 0x8580, 1, &[&mk_record(28, &address)]);
        assert_eq!(ask(Kind::Aaaa, &answer), Ok(addresses(&["fd00::a"])));
    }

    #[test]
    fn an_alias_is_passed_over_for_its_targets_address() {
        let alias = mk_record(5, b"\x01b\xc0\x10");
        let target = [b"\x01b\xc0\x10".as_slice(), mk_record(1, &[10, 0, 0, 3]).get(2..).unwrap()].concat();
        let answer = mk_answer(Kind::A, 0x8580, 2, &[&alias, &target]);
        assert_eq!(ask(Kind::A, &answer), Ok(addresses(&["10.0.0.3"])));
    }

    #[test]
    fn a_name_without_addresses_is_told_from_no_name() {
        assert_eq!(ask(Kind::A, &mk_answer(Kind::A, 0x8580, 0, &[])), Ok(addresses(&[])));
        assert_eq!(ask(Kind::A, &mk_answer(Kind::A, 0x8583, 0, &[])), Ok(Answer::NoSuchName));
    }

    #[test]
    fn a_servers_refusal_is_named() {
        for (code, name) in
            [(1, "FORMERR"), (2, "SERVFAIL"), (4, "NOTIMP"), (5, "REFUSED"), (9, "response code 9")]
        {
            let refused = ask(Kind::A, &mk_answer(Kind::A, 0x8180 | code, 0, &[])).unwrap_err();
            assert_eq!(refused.to_string(), format!("it says {name}"));
        }
    }

    #[test]
    fn the_letters_case_is_the_servers_to_choose() {
        let answer = mk_answer(Kind::A, 0x8580, 1, &[&mk_record(1, &[10, 0, 0, 1])]);
        let shouted: Vec<u8> = [&answer[..12], &answer[12..41].to_ascii_uppercase(), &answer[41..]].concat();
        assert_ne!(shouted, answer);
        assert_eq!(ask(Kind::A, &shouted), Ok(addresses(&["10.0.0.1"])));
    }

    #[test]
    fn what_answers_another_question_is_foreign() {
        let ours = mk_answer(Kind::A, 0x8580, 0, &[]);
        let mut other_id = ours.clone();
        other_id[0] ^= 1;
        let mut other_name = ours.clone();
        other_name[13] = b'z';
        let query = Question { id: ID, kind: Kind::A, name: &name() }.to_bytes();
        let other_kind = mk_answer(Kind::Aaaa, 0x8580, 0, &[]);
        let other_operation = mk_answer(Kind::A, 0xa580, 0, &[]);
        for message in [&other_id, &other_name, &query, &other_kind, &other_operation, &ours[..11].to_vec()] {
            assert_eq!(ask(Kind::A, message), Err(Unusable::Foreign), "{message:?}");
        }
    }

    #[test]
    fn a_record_that_breaks_off_is_malformed() {
        let whole = mk_answer(Kind::A, 0x8580, 1, &[&mk_record(1, &[10, 0, 0, 1])]);
        let question = whole.len() - 16;
        for length in question..whole.len() {
            assert_eq!(ask(Kind::A, &whole[..length]), Err(Unusable::Malformed), "{length}");
        }
    }

    #[test]
    fn an_address_of_the_wrong_length_is_malformed() {
        let answer = mk_answer(Kind::A, 0x8580, 1, &[&mk_record(1, &[10, 0, 0, 1, 0])]);
        assert_eq!(ask(Kind::A, &answer), Err(Unusable::Malformed));
    }

    #[test]
    fn a_pointer_to_itself_leads_nowhere() {
        let record = mk_record(1, &[10, 0, 0, 1]);
        // The record's name begins at 45, and points there.
        let looped = [b"\xc0\x2d".as_slice(), &record[2..]].concat();
        assert_eq!(ask(Kind::A, &mk_answer(Kind::A, 0x8580, 1, &[&looped])), Ok(addresses(&["10.0.0.1"])));
    }

    #[test]
    fn reserved_labels_are_malformed() {
        let record = [b"\x40\x00".as_slice(), &mk_record(1, &[10, 0, 0, 1])[2..]].concat();
        assert_eq!(ask(Kind::A, &mk_answer(Kind::A, 0x8580, 1, &[&record])), Err(Unusable::Malformed));
    }

    #[test]
    fn a_truncated_answer_counts_for_what_it_holds() {
        let record = mk_record(1, &[10, 0, 0, 1]);
        assert_eq!(ask(Kind::A, &mk_answer(Kind::A, 0x8780, 1, &[&record])), Ok(addresses(&["10.0.0.1"])));
        assert_eq!(ask(Kind::A, &mk_answer(Kind::A, 0x8780, 0, &[])), Err(Unusable::Truncated));
    }

    proptest! {
        #[test]
        fn no_datagram_makes_the_parser_panic(datagram in any::<Vec<u8>>()) {
            let _ = ask(Kind::A, &datagram);
        }

        #[test]
        fn no_records_make_the_parser_panic(flags in any::<u16>(), count in any::<u16>(), records in any::<Vec<u8>>()) {
            let _ = ask(Kind::A, &mk_answer(Kind::A, 0x8000 | flags & 0x07ff, count, &[&records]));
        }

        #[test]
        fn a_flipped_bit_never_panics_nor_brings_more_addresses(
            count in 0..8_u16, at in any::<prop::sample::Index>(), bit in 0..8_u8,
        ) {
            let record = mk_record(28, &[7; 16]);
            let mut message = mk_answer(Kind::Aaaa, 0x8580, count, &vec![record.as_slice(); count.into()]);
            let at = at.index(message.len());
            message[at] ^= 1 << bit;
            if let Ok(Answer::Addresses(addresses)) = ask(Kind::Aaaa, &message) {
                prop_assert!(addresses.len() <= count.into());
            }
        }

        #[test]
        fn what_is_asked_is_recognised_in_the_answer(
            text in "[a-z0-9]{1,63}(\\.[a-z0-9]{1,63}){0,2}", id in any::<u16>(), address in any::<[u8; 4]>(),
        ) {
            let name = text.parse().unwrap();
            let question = Question { id, kind: Kind::A, name: &name };
            let mut message = question.to_bytes();
            message[2] |= 0x80;
            message[7] = 1;
            message.extend(mk_record(1, &address));
            prop_assert_eq!(question.answer(&message), Ok(Answer::Addresses(vec![address.into()])));
        }
    }
}
