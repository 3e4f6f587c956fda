//! Offering products.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use super::types::Product;
use crate::context::mutation_scope;
use crate::error::{UserError as Told, payload};
use crate::payload::inputs;
use plaza_domain::products::{self, Money, NewProduct};
use plaza_domain::{DomainError, UserError, UserErrorCode};

/// An amount of money in one currency.
#[derive(InputObject)]
pub struct MoneyInput {
    /// Amount in integer minor units (cents), as a string of the digits 0 to 9 without sign or
    /// leading zeros.
    amount: String,
    /// Currency code of ISO 4217: EUR, USD, GBP or JPY.
    currency: String,
}

inputs! {
    /// A product to offer for sale.
    ProductCreateInput {
        /// Title: one line of 1 to 120 characters, at least one of them visible.
        title: String,
        /// Description of up to 4,000 characters.
        description: String,
        /// Price of one unit: 1 to 1,000,000,000,000 minor units.
        price: MoneyInput,
        /// Number of units in stock, 0 to 1,000,000.
        stock: i32,
    }
}

/// Result of creating a product.
#[derive(SimpleObject)]
pub struct ProductCreatePayload {
    /// The created product; null if it was not created.
    product: Option<async_graphql::Result<Product>>,
    /// Business errors that prevented the mutation; empty on success.
    user_errors: Vec<Told>,
}

/// Mutations of products.
#[derive(Debug, Default)]
pub struct ProductMutations;

#[Object]
impl ProductMutations {
    /// Offers a product for sale as the viewer. A user may create 1,000 products an hour by
    /// default; beyond that the error is `RATE_LIMITED`.
    async fn product_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The product to create.")] input: ProductCreateInput,
    ) -> Option<async_graphql::Result<ProductCreatePayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result = async {
                let amount = Money::amount_of(&input.price.amount).ok_or_else(|| {
                    let path = ["input", "price", "amount"].map(str::to_owned).to_vec();
                    let message = "must be a whole number of minor units, in the digits 0 to 9 alone, without zeros before it".to_owned();
                    DomainError::Rejected(vec![UserError {
                        code: UserErrorCode::Invalid,
                        message,
                        path,
                    }])
                })?;
                let price = Money { amount, currency: input.price.currency };
                let new = NewProduct {
                    title: input.title,
                    description: input.description,
                    price,
                    stock: input.stock,
                };
                products::create(&scope.op, new).await
            };
            let (id, user_errors) = payload(result.await)?;
            let product = match id {
                // It is done; that it cannot be shown must not read as if it were not.
                Some(id) => Product::load(&scope, id).await.transpose(),
                None => None,
            };
            Ok(ProductCreatePayload { product, user_errors })
        };
        Some(done.await)
    }
}
