"""Who and what is there before the first fault: made through the API, as everything else."""

import asyncio

from .client import Client
from .operations import MUTATIONS, global_id, number_of
from .plan import PRODUCTS, SCARCE, SCARCE_STOCK, STOCK
from .workload import first_posts

PASSWORD = "a chaotic password"


async def make(plan, tag, connections, record, say):
    people = plan.settings.people
    gate = asyncio.Semaphore(4)

    async def must(client, key, kind, given):
        async with gate:
            for _ in range(5):
                status, content = await client.send(
                    MUTATIONS[kind][1], {"input": given}, f"{tag}-{key}"
                )
                done = ((content or {}).get("data") or {}).get("done")
                if done and not done["userErrors"]:
                    return done
                await asyncio.sleep(1)
            raise RuntimeError(f"{kind} {key}: {status} {content}")

    async def sign_up(number):
        client = Client(connections, record, None, number)
        handle = f"{tag}_{number}"
        given = {"handle": handle, "displayName": f"Person {number}", "password": PASSWORD}
        given["email"] = f"{handle}@example.org"
        done = await must(client, f"user-{number}", "sign-up", given)
        client.token = done["accessToken"]
        return client, number_of(done["made"]["id"]["id"])

    made = await asyncio.gather(*(sign_up(number) for number in range(people)))
    clients, users = [client for client, _ in made], [user for _, user in made]
    say(f"{people} users")

    async def follow(follower, followee):
        given = {"userId": global_id("User", users[followee])}
        await must(clients[follower], f"follow-{follower}-{followee}", "follow", given)

    async def post(person, number):
        given = {"text": f"{tag} first {person} {number}"}
        done = await must(clients[person], f"first-{person}-{number}", "post", given)
        return number_of(done["made"]["id"])

    async def offer(number):
        stock = SCARCE_STOCK if number < SCARCE else STOCK
        price = {"amount": str(100 + number), "currency": "EUR"}
        given = {"title": f"Product {number}", "description": "", "price": price, "stock": stock}
        done = await must(clients[number % people], f"product-{number}", "product", given)
        return {"id": number_of(done["made"]["id"]), "stock": stock, "price": 100 + number,
                "seller": users[number % people]}

    await asyncio.gather(*(follow(*pair) for pair in plan.follows))
    posts = await asyncio.gather(*(post(*one) for one in first_posts(people)))
    products = await asyncio.gather(*(offer(number) for number in range(PRODUCTS)))
    say(f"{len(plan.follows)} follows, {len(posts)} posts, {len(products)} products")
    return clients, {
        "tag": tag,
        "users": users,
        "tokens": [client.token for client in clients],
        "follows": [[users[a], users[b]] for a, b in plan.follows],
        "first_posts": posts,
        "products": products,
    }
