//! Which levels does Acme have, and what are they called?

use crate::calendar::{Day, day};

/// The root of everything
pub(crate) const GLOBAL_ACCOUNT: &str = "global-account:acme";
/// The subaccount of the platform team
pub(crate) const PLATFORM: &str = "subaccount:platform";
/// The subaccount in which everybody tries things out, until it is deleted
pub(crate) const SANDBOX: &str = "subaccount:sandbox";
/// The subaccount of Contour, a company that Acme buys
pub(crate) const CONTOUR: &str = "subaccount:contour-portal";
/// The service-manager credential of the build pipeline
pub(crate) const SERVICE_MANAGER: &str = "service-instance:platform-service-manager";

/// The day on which the global account gets feature set B
pub(crate) const UPGRADE: Day = day(2024, 2, 10);
/// The day on which the identity provider's groups are mapped
pub(crate) const GROUPS: Day = day(2024, 9, 2);
/// The day from which every production subaccount has the role collection [`READER`]
pub(crate) const READERS: Day = day(2024, 4, 15);
/// The day on which the application Returns moves from logistics to commerce
pub(crate) const RETURNS_MOVE: Day = day(2025, 5, 5);

/// A custom role collection of every production subaccount
pub(crate) const READER: &str = "Production Reader";

/// A business unit
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Unit {
    Commerce,
    Logistics,
    Finance,
    People,
}

impl Unit {
    pub(crate) const ALL: [Self; 4] =
        [Self::Commerce, Self::Logistics, Self::Finance, Self::People];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Commerce => "Commerce",
            Self::Logistics => "Logistics",
            Self::Finance => "Finance",
            Self::People => "People",
        }
    }

    pub(crate) fn directory(self) -> String {
        format!("directory:{}", self.name().to_ascii_lowercase())
    }

    pub(crate) fn developers(self) -> String {
        format!("group:corp-idp/BTP_{}_Developers", self.name())
    }

    pub(crate) fn operators(self) -> String {
        format!("group:corp-idp/BTP_{}_Operators", self.name())
    }

    pub(crate) fn apps(self, on: Day) -> impl Iterator<Item = &'static App> {
        APPS.into_iter().filter(move |app| app.unit(on) == self)
    }
}

/// A stage of an application
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Stage {
    Dev,
    Test,
    Prod,
}

impl Stage {
    pub(crate) const ALL: [Self; 3] = [Self::Dev, Self::Test, Self::Prod];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Test => "test",
            Self::Prod => "prod",
        }
    }
}

/// An application, with a subaccount for each stage
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct App {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    unit: Unit,
    /// The client with keys of its destination instances, if it has such instances
    pub(crate) client: Option<&'static str>,
    /// The role collection that its business users hold in production
    pub(crate) business: &'static str,
    /// The attribute value of its business users
    department: &'static str,
}

const fn app(
    id: &'static str,
    title: &'static str,
    unit: Unit,
    client: Option<&'static str>,
    business: &'static str,
    department: &'static str,
) -> App {
    App { id, title, unit, client, business, department }
}

pub(crate) static ORDERS: App = app(
    "orders",
    "Orders",
    Unit::Commerce,
    Some("client:sap.default/sb-orders-api"),
    "Order Clerk",
    "Sales",
);
pub(crate) static WEBSHOP: App = app(
    "webshop",
    "Webshop",
    Unit::Commerce,
    Some("client:sap.default/sb-webshop-backend"),
    "Shop Editor",
    "Marketing",
);
pub(crate) static PRICING: App = app(
    "pricing",
    "Pricing",
    Unit::Commerce,
    Some("client:sap.default/sb-pricing-engine"),
    "Price Manager",
    "Category",
);
pub(crate) static WAREHOUSE: App = app(
    "warehouse",
    "Warehouse",
    Unit::Logistics,
    Some("client:sap.default/sb-warehouse-sync"),
    "Stock Keeper",
    "Warehouse",
);
pub(crate) static SHIPPING: App = app(
    "shipping",
    "Shipping",
    Unit::Logistics,
    Some("client:sap.default/sb-shipping-labels"),
    "Dispatcher",
    "Transport",
);
pub(crate) static RETURNS: App = app(
    "returns",
    "Returns",
    Unit::Logistics,
    Some("client:sap.default/sb-returns-portal"),
    "Returns Agent",
    "Service",
);
pub(crate) static INVOICING: App = app(
    "invoicing",
    "Invoicing",
    Unit::Finance,
    Some("client:sap.default/sb-invoicing-batch"),
    "Invoice Clerk",
    "Accounting",
);
pub(crate) static PAYMENTS: App = app(
    "payments",
    "Payments",
    Unit::Finance,
    Some("client:sap.default/sb-payments-gateway"),
    "Payment Approver",
    "Treasury",
);
pub(crate) static TREASURY: App =
    app("treasury", "Treasury", Unit::Finance, None, "Liquidity Planner", "Controlling");
pub(crate) static PAYROLL: App =
    app("payroll", "Payroll", Unit::People, None, "Payroll Officer", "Personnel");

/// All applications
pub(crate) static APPS: [&App; 10] = [
    &ORDERS, &WEBSHOP, &PRICING, &WAREHOUSE, &SHIPPING, &RETURNS, &INVOICING, &PAYMENTS, &TREASURY,
    &PAYROLL,
];

impl App {
    /// The business unit to which it belongs on a day
    pub(crate) fn unit(&self, on: Day) -> Unit {
        if self.id == RETURNS.id && on >= RETURNS_MOVE { Unit::Commerce } else { self.unit }
    }

    pub(crate) fn subaccount(&self, stage: Stage) -> String {
        format!("subaccount:{}-{}", self.id, stage.as_str())
    }

    pub(crate) fn org(&self, stage: Stage) -> String {
        format!("cf-org:{}-{}", self.id, stage.as_str())
    }

    pub(crate) fn space(&self, stage: Stage) -> String {
        format!("cf-space:{}-{}-app", self.id, stage.as_str())
    }

    /// Its destination service instance in a stage
    pub(crate) fn destination(&self, stage: Stage) -> String {
        format!("service-instance:{}-{}-destination", self.id, stage.as_str())
    }

    /// The set of its business users
    pub(crate) fn department(&self) -> String {
        format!("attribute:corp-idp/department={}", self.department)
    }

    /// Whether a level belongs to this application
    pub(crate) fn has(&self, level: &str) -> bool {
        Stage::ALL.into_iter().any(|stage| {
            let (subaccount, org) = (self.subaccount(stage), self.org(stage));
            [subaccount, org, self.space(stage), self.destination(stage)]
                .iter()
                .any(|own| own == level)
        })
    }
}
