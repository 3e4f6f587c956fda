//! Offering products.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use super::types::Product;
use crate::domain::products::{self, Money, NewProduct};
use crate::domain::{DomainError, UserError, UserErrorCode};
use crate::graphql::context::mutation_scope;
use crate::graphql::error::{UserError as Told, payload};

/// An amount of money.
#[derive(InputObject)]
pub struct MoneyInput {
    /// Integer minor units (cents), as text: the digits 0 to 9 alone, without a sign or zeros before them.
    amount: String,
    /// ISO 4217: EUR, USD, GBP or JPY.
    currency: String,
}

/// A product to be.
#[derive(InputObject)]
pub struct ProductCreateInput {
    /// The title: one line of 1 to 120 characters, one of them visible.
    title: String,
    /// Up to 4,000 characters.
    description: String,
    /// What one costs: 1 to 1,000,000,000,000 minor units.
    price: MoneyInput,
    /// 0 to 1,000,000.
    stock: i32,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

/// The new product.
#[derive(SimpleObject)]
pub struct ProductCreatePayload {
    /// The product.
    product: Option<async_graphql::Result<Product>>,
    /// Why not.
    user_errors: Vec<Told>,
}

/// Mutations of products.
#[derive(Debug, Default)]
pub struct ProductMutations;

#[Object]
impl ProductMutations {
    /// The viewer offers a product.
    async fn product_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The product.")] input: ProductCreateInput,
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
