"""What agents are asked after a call: options, values and the menus, without a phone or a database."""
