//! Which questions are worth asking in the demo?
//!
//! There are eleven: who could do something on a past day; the same as it was known on another day; who could for a short
//! while; what changed although nobody did anything; what changed for one person; who could anywhere; what nobody looked
//! at; an account of another origin; who could read the ledger itself; who could through the rule of a group; and who could have
//! given himself the power.

use tenure_wire::question::Texts;

use crate::cast::{LUKAS, PRIYA, TOMASZ};
use crate::estate::{CONTOUR, GLOBAL_ACCOUNT};
use crate::legacy::STAFF_PORTAL;

const ORDERS_PROD: &str = "subaccount:orders-prod";
const PAYMENTS_PROD: &str = "subaccount:payments-prod";
const MANAGE: &str = "destinations.manage";

/// A question to the demo's ledger, and a hint to its answer
#[derive(Clone, Debug)]
pub struct DemoQuestion {
    /// The question as a person would ask it
    pub asked: &'static str,
    /// The question with its parameters, as the command takes it
    pub question: Texts,
    /// What the answer shows
    pub see: &'static str,
}

/// The eleven questions to the ledger of [`crate::demo`]; each answer has at most a dozen rows
pub fn demo_questions() -> Vec<DemoQuestion> {
    let who_on_20_march = Texts::named("who")
        .with("can", MANAGE)
        .with("on", ORDERS_PROD)
        .with("at", "2025-03-20")
        .with("explain", "full");
    vec![
        DemoQuestion {
            asked: "Who could manage destinations in production on 20 March 2025, and why?",
            question: who_on_20_march.clone(),
            see: "Seven people, four ways: as administrator since the upgrade, through a custom role \
                  collection, through a group (which is listed as well), and Daniela Weber until 30 \
                  September.",
        },
        DemoQuestion {
            asked: "And what did we believe on 1 April, before the correction?",
            question: who_on_20_march.with("known_at", "2025-04-01"),
            see: "Daniel Weber instead of Daniela: his grant was recorded by mistake, voided on 14 \
                  April, and is still the answer as it was known then.",
        },
        DemoQuestion {
            asked: "Who could manage them at any time in November 2025, however briefly?",
            question: Texts::named("who")
                .with("can", MANAGE)
                .with("on", ORDERS_PROD)
                .with("from", "2025-11-01")
                .with("until", "2025-12-01"),
            see: "Noor Haddad for three days only. Jonas Brandt got his grant by hand, and it was recorded \
                  weeks later; Ibrahim Traore follows Mateo Vargas in the group.",
        },
        DemoQuestion {
            asked: "Since when can Priya Raman read the audit log of Payments?",
            question: Texts::named("timeline")
                .with("principal", PRIYA)
                .with("can", "audit-log.view")
                .with("on", PAYMENTS_PROD)
                .with("from", "2024-01-01")
                .with("until", "2026-07-01"),
            see: "Since 3 February 2026, by a grant of April 2024: SAP widened Subaccount Viewer, and \
                  nobody at Acme did anything.",
        },
        DemoQuestion {
            asked: "What changed for Lukas Meier when he moved from Shipping to Payments?",
            question: Texts::named("diff")
                .with("from", "2025-06-01")
                .with("until", "2025-06-07")
                .with("principal", LUKAS),
            see: "Four holdings gained, three lost, and one that now ends on 1 July, for the \
                  handover: all by one entry.",
        },
        DemoQuestion {
            asked: "Who held a key to destinations anywhere in Acme on 15 May 2026, whatever their roles?",
            question: Texts::named("who")
                .with("can", "destinations.use-rest-api")
                .with("under", GLOBAL_ACCOUNT)
                .with("at", "2026-05-15"),
            see: "Eight clients, and three people with service keys. Yusuf Demir left Shipping eight \
                  months before; his key to its production stayed.",
        },
        DemoQuestion {
            asked: "Who could manage destinations of Contour on 20 March 2026, just after Acme had bought it?",
            question: Texts::named("who")
                .with("can", MANAGE)
                .with("on", CONTOUR)
                .with("at", "2026-03-20"),
            see: "Nobody is known, and that is not \"nobody\": the first listing is of 7 April.",
        },
        DemoQuestion {
            asked: "Could Tomasz Zielinski manage them on 15 May?",
            question: Texts::named("check")
                .with("principal", TOMASZ)
                .with("can", MANAGE)
                .with("on", CONTOUR)
                .with("at", "2026-05-15"),
            see: "Not by his account of Acme's identity provider. But he has one of SAP's too, and that one \
                  could: it may have been given as early as 2 March.",
        },
        DemoQuestion {
            asked: "And who could read this ledger itself about Payments on 3 March 2026?",
            question: Texts::named("who")
                .with("can", "ledger.read")
                .with("on", PAYMENTS_PROD)
                .with("at", "2026-03-03")
                .with("explain", "full"),
            see: "Three people, each by a role that the ledger keeps like any other: an auditor of all, one \
                  of Payments alone until 1 April, and the administrator who let them in.",
        },
        DemoQuestion {
            asked: "Who could open the payroll pages of the old portal in Neo on 1 June 2025, and through what?",
            question: Texts::named("who")
                .with("can", "path:/payroll/run")
                .with("on", STAFF_PORTAL)
                .with("at", "2025-06-01")
                .with("explain", "full"),
            see: "Two people, whom nobody added to the group: its rule made them members, by what the \
                  identity provider said of them. The group is listed as well.",
        },
        DemoQuestion {
            asked: "Who could have made himself able to manage destinations in production on 20 March 2025?",
            question: Texts::named("who")
                .with("can", MANAGE)
                .with("on", ORDERS_PROD)
                .with("at", "2025-03-20")
                .with("reading", "latent"),
            see: "Seven who could, and two who could not: Aylin Kaya and Marek Novotny administer the global account, \
                  and could have made themselves administrators there. `check --reading latent` tells the steps.",
        },
    ]
}
