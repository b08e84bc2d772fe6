"""What must hold after every fold; a broken law is a bug of ours, named before it can cost money."""

from trader_core.domain.book import ZERO, Book
from trader_core.domain.order import Role


def broken_laws(book: Book) -> tuple[str, ...]:
    """The laws this book breaks, in words; empty in a sound one."""
    broken: list[str] = []
    for symbol, held in book.holdings.items():
        if held.quantity < 0:
            broken.append(f"{symbol}: sold more than was bought ({held.quantity})")
        if held.quantity == 0 and (held.cost or held.entry_fees):
            broken.append(f"{symbol}: a flat position still has a cost of {held.cost} and fees of {held.entry_fees}")
    paid = sum((h.cost + h.entry_fees for h in book.holdings.values()), ZERO)
    if book.cash is not None and book.flows and book.cash != book.flows + book.realised - paid:
        broken.append(f"cash {book.cash} is not flows {book.flows} + realised {book.realised} - paid {paid}")
    seen: set[tuple[str, Role]] = set()
    for order in book.orders.values():
        place = (order.approved.symbol, order.approved.role)
        if order.is_open and place in seen:
            broken.append(f"{place[0]}: two open orders as {place[1]}")
        if order.is_open:
            seen.add(place)
        if order.filled > order.approved.quantity:
            broken.append(f"{order.client_order_id}: filled {order.filled} of {order.approved.quantity}")
    return tuple(broken)
