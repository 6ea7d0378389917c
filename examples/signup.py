"""An application that writes to those who sign up or order: its rows and their messages are stored together or not."""

import psycopg
from fastapi import FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

import send_queue


def application(url):
    app = FastAPI()
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))

    @app.post("/signups")
    async def sign_up(email: str):
        async with await psycopg.AsyncConnection.connect(url) as conn:
            send_id, _ = await send_queue.enqueue(conn, "welcome", "email", email, "Welcome!", subject="Hello")
            await conn.execute("insert into signups (email, send_id) values (%s, %s)", [email, send_id])
        return {"send_id": send_id}

    @app.post("/orders")
    def order(email: str, goods: str):
        with Session(engine) as session, session.begin():
            send_id, _ = send_queue.enqueue(session, "orders", "email", email, f"You get {goods}.", subject="Order")
            session.execute(text("insert into orders values (:id, :goods)"), {"id": send_id, "goods": goods})
        return {"send_id": send_id}

    @app.get("/signups/{email}")
    def status(email: str):
        with engine.connect() as conn:
            query = text("select status from signups where email = :email")  # kept by status_back.sql
            return {"welcome": conn.scalar(query, {"email": email})}

    return app
