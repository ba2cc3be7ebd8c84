"""The bus on RabbitMQ: the only package that knows pika.

`link` keeps one connection up in its own thread; `publisher` and `consumer` each own a link, never the same
one, because a broker under an alarm stops reading from connections that publish; `upkeep` declares and looks.
"""
