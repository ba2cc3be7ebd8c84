"""The desk's view of halls: who has which hall when, who comes today, and how full the hours are.

Read by the pages and by `admin_api.routers.halls`. Nothing is changed here: a page links to the actions.
"""
