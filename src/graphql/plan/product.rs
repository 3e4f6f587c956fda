//! Planned products.

use std::borrow::Cow;

use async_graphql::parser::types::Field;

use super::columns::{Columns, Wants};
use super::selection::{Asked, Key, Of, Reader, Set};
use super::user::{self, UserField};
use super::writer::Writer;
use crate::products::types::Money;
use plaza_base::ids::{Id, ProductId};
use plaza_domain::products::Product;

/// A field of a product.
#[derive(Debug)]
pub enum ProductField {
    Id,
    Seller(Set<UserField>),
    Title,
    Description,
    Price(Set<MoneyField>),
    Stock,
    CreatedAt,
}

impl Asked for ProductField {
    fn type_name() -> Cow<'static, str> {
        "Product".into()
    }

    fn read(name: &str, field: &Field, reader: &mut Reader<'_>) -> Option<Self> {
        Some(match name {
            "id" => Self::Id,
            "seller" => Self::Seller(reader.below(field)?),
            "title" => Self::Title,
            "description" => Self::Description,
            "price" => Self::Price(reader.below(field)?),
            "stock" => Self::Stock,
            "createdAt" => Self::CreatedAt,
            _ => return None,
        })
    }

    fn fetches(&self) -> bool {
        matches!(self, Self::Seller(_))
    }
}

impl Of<Product> for ProductField {
    fn want(&self, product: &Product, found: &Columns, wants: &mut Wants<'_>) {
        if let Self::Seller(set) = self {
            user::want(set, product.seller_id, found, wants);
        }
    }

    fn write<'p>(&'p self, product: &Product, key: &'p Key, out: &mut Writer<'p>) {
        match self {
            Self::Id => out.id(product.id),
            Self::Seller(set) => user::write(set, product.seller_id, key, out),
            Self::Title => out.text(&product.title),
            Self::Description => out.text(&product.description),
            Self::Price(set) => {
                out.inside(key, |out| set.write(&Money::from(&product.price), out));
            }
            Self::Stock => out.number(product.stock),
            Self::CreatedAt => out.time(product.id.created_at()),
        }
    }
}

/// A field of an amount of money.
#[derive(Debug)]
pub enum MoneyField {
    Amount,
    Currency,
    Decimals,
}

impl Asked for MoneyField {
    fn type_name() -> Cow<'static, str> {
        "Money".into()
    }

    fn read(name: &str, _: &Field, _: &mut Reader<'_>) -> Option<Self> {
        Some(match name {
            "amount" => Self::Amount,
            "currency" => Self::Currency,
            "decimals" => Self::Decimals,
            _ => return None,
        })
    }
}

impl Of<Money> for MoneyField {
    fn write<'p>(&'p self, money: &Money, _: &'p Key, out: &mut Writer<'p>) {
        match self {
            Self::Amount => out.name(&money.amount),
            Self::Currency => out.name(&money.currency),
            Self::Decimals => out.number(money.decimals),
        }
    }
}

/// Asks for a product, where there is one, and for what is asked of it.
pub fn want(
    set: &Set<ProductField>,
    id: Option<ProductId>,
    found: &Columns,
    wants: &mut Wants<'_>,
) {
    let Some(id) = id else { return };
    wants.keys.products.want(id);
    if let Some(product) = found.products.shown(id) {
        set.want(product, found, wants);
    }
}

/// Writes a product; null where there is none, or the viewer may not see it.
pub fn write<'p>(
    set: &'p Set<ProductField>,
    id: Option<ProductId>,
    key: &'p Key,
    out: &mut Writer<'p>,
) {
    let found = out.found;
    let product = id.map_or(Ok(None), |id| found.products.get(id));
    out.object(key, product, |out, product| set.write(product, out));
}
